package org.apache.flink.configuration;

import java.util.List;

/** A stand-in with what the agent calls of it. */
public final class PipelineOptions {
    public static final ConfigOption<List<String>> JARS = new ConfigOption<>("pipeline.jars", null);
    public static final ConfigOption<List<String>> CLASSPATHS = new ConfigOption<>("pipeline.classpaths", null);

    private PipelineOptions() {}
}
