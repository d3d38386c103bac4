package org.apache.flink.client.deployment.application;

import java.util.Collections;
import java.util.List;
import org.apache.flink.configuration.ConfigOption;

/** A stand-in with what the agent calls of it. */
public final class ApplicationConfiguration {
    public static final ConfigOption<List<String>> APPLICATION_ARGS =
            new ConfigOption<>("$internal.application.program-args", Collections.emptyList());
    public static final ConfigOption<String> APPLICATION_MAIN_CLASS = new ConfigOption<>("$internal.application.main", null);

    private ApplicationConfiguration() {}
}
