import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Its task makes threads until there can be no more, with stacks of 1 GiB of address space each, which is not written to. The
 * job is not restarted.
 */
public final class FillsThreads {
    private static final long STACK = 1L << 30;
    private static final List<Thread> KEPT = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        Restarts.allow(env, 0);
        env.fromSequence(1, 1).map(number -> fill()).returns(Long.class).print();
        env.execute("FillsThreads");
    }

    private static Long fill() {
        while (true) {
            Thread thread = new Thread(null, FillsThreads::sleep, "kept", STACK);
            thread.setDaemon(true);
            thread.start();
            KEPT.add(thread);
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(600_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
