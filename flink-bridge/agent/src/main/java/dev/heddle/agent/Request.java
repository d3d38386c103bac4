package dev.heddle.agent;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What heddle is to deploy. docs/in-process.md, "The request", says what each key means. */
final class Request {
    private static final int VERSION = 1;

    private final Map<String, Object> values = new LinkedHashMap<>();

    Request(Mode mode, String name, boolean detached) {
        values.put("version", VERSION);
        values.put("mode", mode.word);
        values.put("name", name);
        values.put("detached", detached);
        for (String key : new String[] {"flinkHome", "flinkLibDir", "flinkConfDir", "flinkDist", "hadoopConfDir"}) {
            values.put(key, null);
        }
        values.put("shipFiles", Collections.emptyList());
        values.put("shipArchives", Collections.emptyList());
        values.put("clusterSpecification", null);
        values.put("program", null);
        values.put("jobGraph", null);
        values.put("userJars", Collections.emptyList());
        values.put("proxyUser", null);
        values.put("hadoopUser", null);
    }

    /**
     * Sets a key that each request has. The value is null, a path, a URL, a name, or a list of such texts.
     */
    Request set(String key, Object value) {
        if (!values.containsKey(key)) {
            throw new IllegalArgumentException(key + " is no key of a request");
        }
        values.put(key, value);
        return this;
    }

    /** Sets the sizes that the caller has asked for. */
    Request sizes(int masterMemoryMb, int taskManagerMemoryMb, int slots) {
        Map<String, Object> sizes = new LinkedHashMap<>();
        sizes.put("masterMemoryMB", masterMemoryMb);
        sizes.put("taskManagerMemoryMB", taskManagerMemoryMb);
        sizes.put("slotsPerTaskManager", slots);
        return set("clusterSpecification", sizes);
    }

    /** Sets the program of an application. */
    Request program(String jar, String mainClass, List<String> arguments, List<String> classPath) {
        Map<String, Object> program = new LinkedHashMap<>();
        program.put("jar", jar);
        program.put("mainClass", mainClass);
        program.put("args", arguments);
        program.put("classpath", classPath);
        return set("program", program);
    }

    /**
     * Sets what the configuration file cannot hold. The key is there only if it is needed, as a heddle that
     * does not know it refuses the request.
     */
    Request configuration(Map<String, String> settings) {
        if (!settings.isEmpty()) {
            values.put("configuration", settings);
        }
        return this;
    }

    /** The request as one JSON object. It may hold secrets. */
    String text() {
        return Json.write(values);
    }
}
