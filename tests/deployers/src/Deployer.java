import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Deploys Flink on YARN with Flink's Java classes, as tools do that have these in their own process, and tells a line of
 * JSON for each deployment:
 *
 * <pre>
 * --style factory | descriptor | reflection      how it comes to a descriptor (see Style)
 * --mode session | application | per-job
 * --flink DIR --conf DIR                         Flink, and its configuration
 * --hadoop DIR --hadoop-set KEY=VALUE            of the style descriptor: Hadoop's configuration, and keys in memory
 * --set KEY=VALUE                                settings of Flink
 * --jar FILE --main CLASS --argument WORD        the program; a session runs it as a job
 * --parallelism N --detached true --name NAME
 * --list true                                    waits until the cluster has a job, and tells its jobs
 * --end shut-down | kill | leave                 what becomes of the cluster
 * --proxy-user NAME                              the user for whom the descriptor is made
 * --repetitions N --threads N                    so many deployments, so many at a time
 * --on-demand true                               begins each when a character comes on its standard input
 * --tell true                                    tells at once what was deployed and submitted
 * --settle SECONDS                               of the end: waits before it tells what the process holds
 * --words FILE                                   more of these words
 * </pre>
 *
 * The first line tells what the process holds before the first deployment, each further one also after it, and the last
 * one at the end.
 */
public final class Deployer {
    private Deployer() {}

    static synchronized void tell(Map<String, ?> what) {
        System.out.println(Json.of(what));
    }

    public static void main(String[] args) throws Exception {
        Words words = new Words(args);
        tell(Collections.singletonMap("begin", Held.now()));
        ExecutorService pool = Executors.newFixedThreadPool(words.number("threads", 1));
        List<Future<?>> running = new ArrayList<>();
        InputStream demands = words.is("on-demand") ? System.in : null;
        for (int number = 1; number <= words.number("repetitions", 1); number++) {
            if (demands != null && demands.read() < 0) {
                break;
            }
            int own = number;
            running.add(pool.submit(() -> {
                Map<String, Object> told = new Deployment(words, own).run();
                told.put("held", Held.now());
                tell(told);
            }));
        }
        for (Future<?> one : running) {
            one.get();
        }
        pool.shutdown();
        Thread.sleep(words.number("settle", 0) * 1000L);
        Map<String, Object> end = new LinkedHashMap<>();
        end.put("end", Held.now());
        end.put("threads", Held.threads());
        tell(end);
        // Not each release of Flink ends all its threads.
        System.exit(0);
    }
}
