package dev.heddle.agent;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Flink's configuration as the file that a release reads. */
final class FlinkFile {
    /** The file of lines {@code key: value}: the only one up to Flink 1.18. */
    static final String LEGACY = "flink-conf.yaml";

    /** The file in YAML: the only one from Flink 2.0 on. */
    static final String STANDARD = "config.yaml";

    /**
     * What a descriptor's configuration has for the descriptor itself. The request says the same in keys of
     * its own, so that nothing is given twice; or it holds paths of this machine that mean nothing elsewhere.
     */
    private static final Set<String> OF_THE_DESCRIPTOR =
            Collections.unmodifiableSet(
                    new HashSet<>(
                            Arrays.asList(
                                    "$internal.application.main",
                                    "$internal.application.program-args",
                                    "$internal.deployment.config-dir",
                                    "$internal.yarn.log-config-file",
                                    "internal.cluster.execution-mode",
                                    "internal.jobgraph-path",
                                    "yarn.ship-archives",
                                    "yarn.ship-directories",
                                    "yarn.ship-files")));

    /** The name of the file. */
    final String name;

    /** Its content, which may hold secrets. */
    final String text;

    /** Settings that the format cannot express; there are none in {@link #STANDARD}. */
    final Map<String, String> notCarried;

    private FlinkFile(String name, String text, Map<String, String> notCarried) {
        this.name = name;
        this.text = text;
        this.notCarried = notCarried;
    }

    /**
     * Writes a descriptor's configuration.
     *
     * @param settings the configuration, with values as text
     * @param name the file whose format the values have
     * @param both whether the release reads {@link #STANDARD}, too, if {@link #LEGACY} is not there. It then
     *     understands values of the old format in the new file, which can hold every value.
     */
    static FlinkFile of(Map<String, String> settings, String name, boolean both) {
        Map<String, String> kept = new TreeMap<>(settings);
        kept.keySet().removeAll(OF_THE_DESCRIPTOR);
        if (name.equals(LEGACY)) {
            FlinkFile legacy = legacy(kept);
            if (legacy.notCarried.isEmpty() || !both) {
                return legacy;
            }
        }
        return standard(kept);
    }

    private static FlinkFile standard(Map<String, String> settings) {
        StringBuilder text = new StringBuilder();
        settings.forEach((key, value) -> text.append(Json.quoted(key)).append(": ").append(Json.quoted(value)).append('\n'));
        return new FlinkFile(STANDARD, text.toString(), Collections.emptyMap());
    }

    private static FlinkFile legacy(Map<String, String> settings) {
        StringBuilder text = new StringBuilder();
        Map<String, String> rest = new TreeMap<>();
        settings.forEach(
                (key, value) -> {
                    if (carried(key) && carried(value) && !key.contains(": ") && !key.endsWith(":")) {
                        text.append(key).append(": ").append(value).append('\n');
                    } else {
                        rest.put(key, value);
                    }
                });
        return new FlinkFile(LEGACY, text.toString(), rest);
    }

    /** Whether a line of the old format gives the text back: it has no quotes, and a # begins a comment. */
    private static boolean carried(String text) {
        return !text.isEmpty()
                && text.trim().equals(text)
                && text.indexOf('#') < 0
                && text.indexOf('\n') < 0
                && text.indexOf('\r') < 0;
    }
}
