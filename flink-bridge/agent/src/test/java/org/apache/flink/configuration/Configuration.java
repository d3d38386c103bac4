package org.apache.flink.configuration;

import java.util.HashMap;
import java.util.Map;

/** A stand-in with what the agent calls of it. */
public class Configuration {
    private final Map<String, Object> values = new HashMap<>();

    public void set(String key, Object value) {
        values.put(key, value);
    }

    @SuppressWarnings("unchecked")
    public <T> T get(ConfigOption<T> option) {
        return (T) values.getOrDefault(option.key, option.initial);
    }

    public Map<String, String> toMap() {
        Map<String, String> texts = new HashMap<>();
        values.forEach((key, value) -> texts.put(key, String.valueOf(value)));
        return texts;
    }
}
