import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.jobmanager.JobManagerProcessSpec;
import org.apache.flink.runtime.jobmanager.JobManagerProcessUtils;
import org.apache.flink.runtime.util.bash.BashJavaUtils;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Answers questions with the code of the Flink release on its class path: one JSON object per line on stdin, one per line
 * on stdout.
 *
 * <pre>
 * {"ask": "memory", "conf": {key: value}}            pools, JVM parameters and dynamic properties of both processes
 * {"ask": "scripts", "arguments": [...]}           what Flink's start scripts get from BashJavaUtils
 * {"ask": "load", "dir": "..."}                      the configuration directory as Flink loads it, key by key
 * {"ask": "typed", "type": "...", "value": "..."}    a text as a value of a type
 * </pre>
 *
 * A refusal is {"error": "message of the exception and of its causes"}.
 */
public final class FlinkOracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        // Loggers print to what stdout is when they start.
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(JSON.writeValueAsString(answer(JSON.readTree(line))));
        }
    }

    private static JsonNode answer(JsonNode question) throws Exception {
        switch (question.get("ask").asText()) {
            case "memory":
                Configuration conf = new Configuration();
                question.get("conf").fields().forEachRemaining(e -> conf.setString(e.getKey(), e.getValue().asText()));
                ObjectNode both = JSON.createObjectNode();
                both.set("jm", guarded(() -> jobManager(conf)));
                both.set("tm", guarded(() -> taskManager(conf)));
                return both;
            case "scripts":
                return guarded(() -> scripts(JSON.convertValue(question.get("arguments"), String[].class)));
            case "load":
                return guarded(() -> load(question.get("dir").asText()));
            case "typed":
                return guarded(() -> typed(question.get("type").asText(), question.get("value").asText()));
            default:
                throw new IllegalArgumentException(question.toString());
        }
    }

    private interface Question {
        JsonNode answer() throws Throwable;
    }

    private static JsonNode guarded(Question question) {
        try {
            return question.answer();
        } catch (Throwable thrown) {
            StringBuilder message = new StringBuilder();
            for (Throwable t = thrown; t != null; t = t.getCause()) {
                if (!(t instanceof InvocationTargetException)) {
                    message.append(t).append(" / ");
                }
            }
            return JSON.createObjectNode().put("error", message.toString());
        }
    }

    private static JsonNode jobManager(Configuration conf) throws Throwable {
        JobManagerProcessSpec spec;
        Method legacy = find(JobManagerProcessUtils.class, "processSpecFromConfigWithNewOptionToInterpretLegacyHeap");
        if (legacy != null) {
            spec = (JobManagerProcessSpec) legacy.invoke(null, conf, JobManagerOptions.TOTAL_PROCESS_MEMORY);
        } else {
            spec = (JobManagerProcessSpec) find(JobManagerProcessUtils.class, "processSpecFromConfig").invoke(null, conf);
        }
        return JSON.createObjectNode()
                .put("process", spec.getTotalProcessMemorySize().getBytes())
                .put("flink", spec.getTotalFlinkMemorySize().getBytes())
                .put("megabytes", spec.getTotalProcessMemorySize().getMebiBytes())
                .put("jvm", JobManagerProcessUtils.generateJvmParametersStr(spec, conf))
                .put("properties", JobManagerProcessUtils.generateDynamicConfigsStr(spec));
    }

    private static JsonNode taskManager(Configuration conf) throws Throwable {
        Configuration mapped = conf;
        Method legacy =
                find(TaskExecutorProcessUtils.class, "getConfigurationMapLegacyTaskManagerHeapSizeToConfigOption");
        if (legacy != null) {
            mapped = (Configuration) legacy.invoke(null, conf, TaskManagerOptions.TOTAL_PROCESS_MEMORY);
        }
        TaskExecutorProcessSpec spec = TaskExecutorProcessUtils.processSpecFromConfig(mapped);
        ObjectNode answer = JSON.createObjectNode();
        ObjectNode resources = answer.putObject("resources");
        spec.getExtendedResources().forEach((name, resource) -> resources.put(name, resource.getValue().longValue()));
        return answer.put("process", spec.getTotalProcessMemorySize().getBytes())
                .put("flink", spec.getTotalFlinkMemorySize().getBytes())
                .put("megabytes", spec.getTotalProcessMemorySize().getMebiBytes())
                .put("jvm", ProcessMemoryUtils.generateJvmParametersStr(spec))
                .put("properties", TaskExecutorProcessUtils.generateDynamicConfigsStr(spec));
    }

    private static Method find(Class<?> type, String name) {
        for (Method method : type.getDeclaredMethods()) {
            if (method.getName().equals(name)) {
                method.setAccessible(true);
                return method;
            }
        }
        return null;
    }

    private static JsonNode scripts(String[] arguments) throws Exception {
        PrintStream before = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, "UTF-8"));
        try {
            BashJavaUtils.main(arguments);
        } finally {
            System.setOut(before);
        }
        ObjectNode answer = JSON.createObjectNode();
        ArrayNode lines = answer.putArray("lines");
        for (String line : printed.toString("UTF-8").split("\n")) {
            if (line.startsWith(BashJavaUtils.EXECUTION_PREFIX)) {
                lines.add(line.substring(BashJavaUtils.EXECUTION_PREFIX.length()));
            }
        }
        return answer;
    }

    private static JsonNode load(String directory) {
        ObjectNode values = JSON.createObjectNode();
        Configuration conf = GlobalConfiguration.loadConfiguration(directory);
        conf.toMap().forEach(values::put);
        ObjectNode answer = JSON.createObjectNode();
        answer.set("conf", values);
        return answer;
    }

    private static JsonNode typed(String type, String value) throws Exception {
        Configuration conf = new Configuration();
        conf.setString("k", value);
        ConfigOptions.OptionBuilder key = ConfigOptions.key("k");
        Object result;
        switch (type) {
            case "memory":
                result = conf.getOptional(key.memoryType().noDefaultValue()).map(MemorySize::getBytes).get();
                break;
            case "duration":
                result = conf.getOptional(key.durationType().noDefaultValue()).map(Duration::toMillis).get();
                break;
            case "int":
                result = conf.getOptional(key.intType().noDefaultValue()).get();
                break;
            case "long":
                result = conf.getOptional(key.longType().noDefaultValue()).get();
                break;
            case "boolean":
                result = conf.getOptional(key.booleanType().noDefaultValue()).get();
                break;
            case "float":
                result = Float.toString(conf.getOptional(key.floatType().noDefaultValue()).get());
                break;
            case "double":
                result = Double.toString(conf.getOptional(key.doubleType().noDefaultValue()).get());
                break;
            case "list":
                result = conf.getOptional(key.stringType().asList().noDefaultValue()).get();
                break;
            case "map":
                ConfigOption<Map<String, String>> map = key.mapType().noDefaultValue();
                result = conf.getOptional(map).get();
                break;
            default:
                throw new IllegalArgumentException(type);
        }
        ObjectNode answer = JSON.createObjectNode();
        answer.set("value", JSON.valueToTree(result));
        return answer;
    }

    private FlinkOracle() {}
}
