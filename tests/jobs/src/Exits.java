import java.nio.file.Files;
import java.nio.file.Paths;

/**
 * Ends its JVM with {@code --code} (0) after {@code --before} (0) seconds, without a job. With {@code --until FILE} it
 * waits for that file.
 */
public final class Exits {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        Thread.sleep(options.number("before", 0) * 1000);
        while (options.get("until") != null && !Files.exists(Paths.get(options.get("until")))) {
            Thread.sleep(100);
        }
        System.exit((int) options.number("code", 0));
    }
}
