import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;

/** What this process holds: threads, open files, child processes, classes. */
final class Held {
    private Held() {}

    static Map<String, Object> now() {
        System.gc();
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("threads", ManagementFactory.getThreadMXBean().getThreadCount());
        found.put("files", new File("/proc/self/fd").list().length);
        found.put("children", children());
        found.put("classes", ManagementFactory.getClassLoadingMXBean().getLoadedClassCount());
        return found;
    }

    /** The threads by their names, without the numbers in them. */
    static Map<String, Integer> threads() {
        Map<String, Integer> found = new TreeMap<>();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            found.merge(thread.getName().replaceAll("\\d+", "N"), 1, Integer::sum);
        }
        return found;
    }

    private static int children() {
        int found = 0;
        for (File task : new File("/proc/self/task").listFiles()) {
            try {
                byte[] ids = Files.readAllBytes(new File(task, "children").toPath());
                String text = new String(ids, StandardCharsets.US_ASCII).trim();
                found += text.isEmpty() ? 0 : Arrays.asList(text.split("\\s+")).size();
            } catch (java.io.IOException gone) {
                // The thread has ended meanwhile.
            }
        }
        return found;
    }
}
