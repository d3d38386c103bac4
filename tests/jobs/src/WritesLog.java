import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Writes {@code --mb} (100) MiB of lines that look like those of a log into the file {@code words.log} in the log directory of
 * its TaskManager.
 */
public final class WritesLog {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        long bytes = options.number("mb", 100) << 20;
        env.fromSequence(1, 1).map(number -> write(bytes)).returns(Long.class).print();
        env.execute("WritesLog");
    }

    /** Gives the number of lines. */
    private static Long write(long bytes) throws IOException {
        Path directory = Paths.get(System.getProperty("log.file")).toAbsolutePath().getParent();
        long lines = 0;
        try (Writer file = Files.newBufferedWriter(directory.resolve("words.log"), StandardCharsets.UTF_8)) {
            for (long written = 0; written < bytes; lines++) {
                String line =
                        String.format(
                                "2026-01-31 12:%02d:%02d,%03d INFO  org.apache.flink.runtime.taskmanager.Task [] - Source: words -> Map (1/1) line %d%n",
                                lines / 60_000 % 60, lines / 1_000 % 60, lines % 1_000, lines);
                file.write(line);
                written += line.length();
            }
        }
        return lines;
    }
}
