package org.apache.flink.configuration;

/** A stand-in with what the agent calls of it. */
public final class ConfigOption<T> {
    final String key;
    final T initial;

    public ConfigOption(String key, T initial) {
        this.key = key;
        this.initial = initial;
    }
}
