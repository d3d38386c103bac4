package org.apache.hadoop.yarn.conf;

import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/** A stand-in with what the agent calls of it. */
public class YarnConfiguration implements Iterable<Map.Entry<String, String>> {
    private final Map<String, String> values = new HashMap<>();

    public YarnConfiguration() {
        values.put("fs.defaultFS", "hdfs://${where}");
        values.put("yarn.of.hadoop", "default");
        values.put("hadoop.broken", "${a");
    }

    public String get(String key) {
        if (key.equals("hadoop.broken")) {
            throw new IllegalStateException("it refers to itself");
        }
        return values.get(key).replace("${where}", "there");
    }

    public String[] getPropertySources(String key) {
        return new String[] {"core-site.xml", key.equals("yarn.of.hadoop") ? "yarn-default.xml" : "programmatically"};
    }

    @Override
    public Iterator<Map.Entry<String, String>> iterator() {
        return values.entrySet().iterator();
    }
}
