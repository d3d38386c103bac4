package dev.heddle.agent;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** Hadoop's configuration as the files that its clients read. */
final class HadoopFiles {
    private HadoopFiles() {}

    /**
     * The content of each file, by its name. All three are there, if need be without a setting.
     *
     * @param settings the keys that are not at Hadoop's own defaults, with their final values
     */
    static Map<String, String> of(Map<String, String> settings) {
        Map<String, StringBuilder> texts = new LinkedHashMap<>();
        for (String name : new String[] {"core-site.xml", "hdfs-site.xml", "yarn-site.xml"}) {
            texts.put(name, new StringBuilder("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n"));
        }
        new TreeMap<>(settings)
                .forEach(
                        (key, value) ->
                                texts.get(fileOf(key))
                                        .append("<property><name>")
                                        .append(escaped(key))
                                        .append("</name><value>")
                                        .append(escaped(value))
                                        .append("</value></property>\n"));
        Map<String, String> files = new LinkedHashMap<>();
        texts.forEach((name, text) -> files.put(name, text.append("</configuration>\n").toString()));
        return files;
    }

    /** Whether XML can express the text at all: it has no way to write most control characters. */
    static boolean carried(String text) {
        return text.chars().allMatch(c -> c >= 0x20 && c < 0xfffe || c == '\n' || c == '\r' || c == '\t');
    }

    /** All files are read together; the one is chosen in which people look for the key. */
    private static String fileOf(String key) {
        return key.startsWith("yarn.") ? "yarn-site.xml" : key.startsWith("dfs.") ? "hdfs-site.xml" : "core-site.xml";
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;");
    }
}
