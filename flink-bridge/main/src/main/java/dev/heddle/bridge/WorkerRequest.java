package dev.heddle.bridge;

import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.clusterframework.BootstrapTools;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.externalresource.ExternalResourceUtils;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;

import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * A worker that Flink wants, as heddle-am has to know it: the size of its container, and the options and
 * arguments of the TaskManager's JVM.
 */
final class WorkerRequest {
    private static final String EXTERNAL_RESOURCE_KEY_SUFFIX = "yarn.config-key";

    /** The total memory of the process, in MiB. */
    final long memoryMb;

    final int vcores;
    /** The amounts of further resources, by YARN's names of the resources. */
    final Map<String, Long> resources;
    /** The JVM's memory options. */
    final List<String> jvmArgs;
    /** The arguments of TaskManagerRunner, without quotes or escapes for a shell. */
    final List<String> args;

    private WorkerRequest(
            long memoryMb, int vcores, Map<String, Long> resources, List<String> jvmArgs, List<String> args) {
        this.memoryMb = memoryMb;
        this.vcores = vcores;
        this.resources = Collections.unmodifiableMap(resources);
        this.jvmArgs = Collections.unmodifiableList(jvmArgs);
        this.args = Collections.unmodifiableList(args);
    }

    /**
     * Makes the request for a worker of the size {@code spec}.
     *
     * @param file the configuration as the file in the container has it
     * @param effective the JobManager's configuration; what differs from the file goes to the command line
     */
    static WorkerRequest of(TaskExecutorProcessSpec spec, Configuration file, Configuration effective) {
        int vcores = spec.getCpuCores().getValue().setScale(0, RoundingMode.CEILING).intValueExact();
        return new WorkerRequest(
                spec.getTotalProcessMemorySize().getMebiBytes(),
                Math.max(vcores, 1),
                externalResources(spec, effective),
                words(ProcessMemoryUtils.generateJvmParametersStr(spec)),
                arguments(spec, file, effective));
    }

    private static Map<String, Long> externalResources(TaskExecutorProcessSpec spec, Configuration effective) {
        Map<String, String> yarnNames =
                ExternalResourceUtils.getExternalResourceConfigurationKeys(effective, EXTERNAL_RESOURCE_KEY_SUFFIX);
        Map<String, Long> resources = new TreeMap<>();
        spec.getExtendedResources()
                .forEach(
                        (name, resource) -> {
                            String yarnName = yarnNames.get(name);
                            if (yarnName != null) {
                                resources.put(yarnName, resource.getValue().longValue());
                            }
                        });
        return resources;
    }

    private static List<String> arguments(
            TaskExecutorProcessSpec spec, Configuration file, Configuration effective) {
        // The properties of the spec come last, so that they overrule the configuration: a worker may have
        // another size than the default worker, whose size the configuration names.
        Map<String, String> properties = difference(file, BootstrapTools.cloneConfiguration(effective));
        properties.putAll(specProperties(TaskExecutorProcessUtils.generateDynamicConfigsStr(spec)));
        List<String> arguments = new ArrayList<>(Arrays.asList("--configDir", "."));
        properties.forEach(
                (key, value) -> {
                    arguments.add("-D");
                    arguments.add(key + "=" + value);
                });
        return arguments;
    }

    /** The keys of {@code target} that {@code base} lacks or has with another value. */
    static Map<String, String> difference(Configuration base, Configuration target) {
        Map<String, String> changed = new TreeMap<>();
        for (String key : target.keySet()) {
            String value = string(target, key);
            if (value != null && !Objects.equals(value, base.keySet().contains(key) ? string(base, key) : null)) {
                changed.put(key, value);
            }
        }
        return changed;
    }

    private static String string(Configuration configuration, String key) {
        return configuration.get(ConfigOptions.key(key).stringType().noDefaultValue());
    }

    /**
     * Reads the properties from the command line for a shell that Flink makes ({@code -D k=v -D list="a;b"}).
     * Their values contain no blanks.
     */
    static Map<String, String> specProperties(String commandLine) {
        Map<String, String> properties = new TreeMap<>();
        for (String word : words(commandLine)) {
            int equals = word.indexOf('=');
            if (equals > 0) {
                properties.put(word.substring(0, equals), withoutQuotes(word.substring(equals + 1)));
            }
        }
        return properties;
    }

    private static String withoutQuotes(String value) {
        boolean quoted = value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"");
        return quoted ? value.substring(1, value.length() - 1) : value;
    }

    private static List<String> words(String line) {
        String trimmed = line.trim();
        return trimmed.isEmpty() ? Collections.emptyList() : Arrays.asList(trimmed.split("\\s+"));
    }
}
