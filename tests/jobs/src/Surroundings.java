import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.stream.Stream;

/**
 * Tells what a process finds around itself, on standard output: in {@code main()} in lines {@code main <what> <value>}, in a
 * task in lines {@code task <what> <value>}.
 *
 * <p>{@code [--resource NAME]} a resource of the user's class path; {@code [--cache URI]} a file of the distributed cache;
 * {@code [--read FILE]} a file below the working directory; {@code [--name JOB]}.
 */
public final class Surroundings {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        tell("main", options.get("resource"), options.get("read"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (options.get("cache") != null) {
            env.registerCachedFile(options.get("cache"), "cached");
        }
        env.fromSequence(1, 1)
                .map(new Teller(options.get("resource"), options.get("read"), options.get("cache") != null))
                .setParallelism(1)
                .print();
        env.execute(options.get("name", "Surroundings"));
    }

    private static void tell(String who, String resource, String file) throws IOException {
        Path directory = Paths.get("").toAbsolutePath();
        say(who, "directory", directory.toString());
        try (Stream<Path> found = Files.walk(directory, 4, FileVisitOption.FOLLOW_LINKS)) {
            found.filter(Files::isRegularFile).forEach(path -> say(who, "file", directory.relativize(path).toString()));
        }
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            say(who, "class-path", entry);
        }
        System.getenv().forEach((name, value) -> say(who, "environment", name + "=" + value));
        ManagementFactory.getRuntimeMXBean().getInputArguments().forEach(word -> say(who, "jvm", word));
        say(who, "heap", Long.toString(Runtime.getRuntime().maxMemory()));
        if (resource != null) {
            ClassLoader loader = Thread.currentThread().getContextClassLoader();
            URL url = loader.getResource(resource);
            say(who, "resource", url == null ? "missing" : url.toString());
            if (url != null) {
                try (InputStream in = url.openStream()) {
                    say(who, "resource-text", firstLine(in));
                }
            }
        }
        if (file != null) {
            try (InputStream in = Files.newInputStream(directory.resolve(file))) {
                say(who, "read", firstLine(in));
            }
        }
    }

    private static String firstLine(InputStream in) throws IOException {
        return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).readLine();
    }

    private static void say(String who, String what, String value) {
        System.out.println(who + " " + what + " " + value.replace('\n', ' '));
    }

    private static final class Teller extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        private final String resource;
        private final String file;
        private final boolean cached;

        Teller(String resource, String file, boolean cached) {
            this.resource = resource;
            this.file = file;
            this.cached = cached;
        }

        @Override
        public Long map(Long number) throws IOException {
            tell("task", resource, file);
            if (cached) {
                File copy = getRuntimeContext().getDistributedCache().getFile("cached");
                try (InputStream in = Files.newInputStream(copy.toPath())) {
                    say("task", "cached", firstLine(in));
                }
            }
            return number;
        }
    }
}
