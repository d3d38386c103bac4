package org.apache.flink.configuration;

/** A stand-in with what the agent calls of it. */
public final class GlobalConfiguration {
    public static final String FLINK_CONF_FILENAME = "config.yaml";

    private GlobalConfiguration() {}
}
