import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes what {@code main()} and a task see into JSON files of a directory, and then ends as it is told: what
 * {@code tests/conformance} compares.
 *
 * <p>{@code DIRECTORY END [--] ARGUMENT...}. {@code main()} writes {@code main.json}, the task {@code task.json}; the task then
 * waits until there is a file {@code go}. {@code END} is {@code finish}, {@code fail} (the task fails), {@code throw}
 * ({@code main()} throws before there is a job), {@code no-job}, {@code exit-N} (before there is a job), {@code after-exit-N} and
 * {@code after-throw} (behind the job), {@code two-async} (two jobs at the same time) or {@code thread} ({@code main()} is over,
 * a thread of it is not).
 */
public final class Probe {
    private static final long PATIENCE_MS = 240_000;

    public static void main(String[] args) throws Exception {
        String directory = args[0];
        String end = args[1];
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Map<String, Object> seen = surroundings();
        seen.put("arguments", Arrays.asList(args).subList(2, args.length));
        seen.put("configuration", entries(field(env, StreamExecutionEnvironment.class, "configuration")));
        seen.put("global-configuration", new TreeMap<>(GlobalConfiguration.loadConfiguration().toMap()));
        seen.put("parallelism", env.getParallelism());
        seen.put("environment-class", env.getClass().getSimpleName());
        write(directory, "main.json", seen);
        System.out.println("main: before");
        if (end.equals("throw")) {
            throw new IllegalStateException("heddle-test: thrown in main");
        }
        exit(end, "exit-");
        if (end.equals("no-job")) {
            return;
        }
        if (end.equals("two-async")) {
            define(env, directory, "task.json", end);
            env.executeAsync("Probe: first");
            define(env, directory, "task-2.json", end);
            env.executeAsync("Probe: second");
        } else {
            define(env, directory, "task.json", end);
            env.execute("Probe");
        }
        System.out.println("main: after");
        exit(end, "after-exit-");
        if (end.equals("after-throw")) {
            throw new IllegalStateException("heddle-test: thrown behind the job");
        }
        if (end.equals("thread")) {
            new Thread(Probe::sleep, "heddle-test-thread").start();
        }
    }

    private static void define(StreamExecutionEnvironment env, String directory, String file, String end) {
        env.fromSequence(1, 1).map(new Task(directory, file, end.equals("fail"))).setParallelism(1).print().setParallelism(1);
    }

    private static void exit(String end, String prefix) {
        if (end.startsWith(prefix)) {
            System.exit(Integer.parseInt(end.substring(prefix.length())));
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(PATIENCE_MS);
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    private static Map<String, Object> surroundings() {
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("environment", new TreeMap<>(System.getenv()));
        seen.put("directory", Paths.get("").toAbsolutePath().toString());
        seen.put("class-path", Arrays.asList(System.getProperty("java.class.path").split(":", -1)));
        seen.put("jvm", ManagementFactory.getRuntimeMXBean().getInputArguments());
        Map<String, String> properties = new TreeMap<>();
        System.getProperties().forEach((name, value) -> properties.put(name.toString(), value.toString()));
        seen.put("properties", properties);
        seen.put("heap", Runtime.getRuntime().maxMemory());
        return seen;
    }

    /** Of a {@code Configuration}; null where this release has none there. */
    private static Object entries(Object configuration) {
        return configuration instanceof Configuration ? new TreeMap<>(((Configuration) configuration).toMap()) : null;
    }

    private static Object field(Object owner, Class<?> type, String name) {
        try {
            Field found = type.getDeclaredField(name);
            found.setAccessible(true);
            return found.get(owner);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    private static void write(String directory, String name, Map<String, Object> seen) throws IOException {
        StringBuilder json = new StringBuilder();
        append(json, seen);
        Path made = Paths.get(directory, name + ".new");
        Files.write(made, json.toString().getBytes(StandardCharsets.UTF_8));
        Files.move(made, Paths.get(directory, name), StandardCopyOption.ATOMIC_MOVE);
    }

    private static void append(StringBuilder json, Object value) {
        String between = "";
        if (value == null || value instanceof Number) {
            json.append(value);
        } else if (value instanceof Map) {
            json.append('{');
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                json.append(between);
                append(json, entry.getKey().toString());
                json.append(':');
                append(json, entry.getValue());
                between = ",";
            }
            json.append('}');
        } else if (value instanceof Collection) {
            json.append('[');
            for (Object element : (Collection<?>) value) {
                json.append(between);
                append(json, element);
                between = ",";
            }
            json.append(']');
        } else {
            json.append('"');
            for (char c : value.toString().toCharArray()) {
                if (c < ' ' || c > '~' || c == '"' || c == '\\') {
                    json.append(String.format("\\u%04x", (int) c));
                } else {
                    json.append(c);
                }
            }
            json.append('"');
        }
    }

    private static final class Task extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        private final String directory;
        private final String file;
        private final boolean fails;

        Task(String directory, String file, boolean fails) {
            this.directory = directory;
            this.file = file;
            this.fails = fails;
        }

        @Override
        public Long map(Long number) throws Exception {
            Map<String, Object> seen = surroundings();
            RuntimeContext context = getRuntimeContext();
            // A method of the streaming runtime's own context, which is no public interface.
            Object manager = context.getClass().getMethod("getTaskManagerRuntimeInfo").invoke(context);
            Object configuration = manager.getClass().getMethod("getConfiguration").invoke(manager);
            seen.put("configuration", entries(configuration));
            write(directory, file, seen);
            Path go = Paths.get(directory, "go");
            for (long deadline = System.currentTimeMillis() + PATIENCE_MS; !Files.exists(go); Thread.sleep(100)) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("nobody has made " + go);
                }
            }
            if (fails) {
                throw new IllegalStateException("heddle-test: failed at run time");
            }
            return number;
        }
    }
}
