import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Its task uses up what {@code --pool} says: {@code metaspace}, by classes whose loaders it keeps; {@code direct} memory; or
 * {@code threads}, with stacks of 1 GiB of address space each, which is not written to. The job is not restarted.
 */
public final class FillsPool {
    private static final int PIECE = 16 << 20;
    private static final long STACK = 1L << 30;
    private static final List<Object> KEPT = new ArrayList<>();

    /** What the classes implement. */
    public interface Marker {}

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        String pool = options.get("pool", "metaspace");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        Restarts.allow(env, 0);
        env.fromSequence(1, 1).map(number -> fill(pool)).returns(Long.class).print();
        env.execute("FillsPool");
    }

    private static Long fill(String pool) {
        while (true) {
            switch (pool) {
                case "metaspace":
                    ClassLoader loader = new URLClassLoader(new URL[0], FillsPool.class.getClassLoader());
                    KEPT.add(Proxy.newProxyInstance(loader, new Class<?>[] {Marker.class}, (proxy, method, given) -> null));
                    break;
                case "direct":
                    KEPT.add(ByteBuffer.allocateDirect(PIECE));
                    break;
                case "threads":
                    Thread thread = new Thread(null, FillsPool::sleep, "kept", STACK);
                    thread.setDaemon(true);
                    thread.start();
                    break;
                default:
                    throw new IllegalArgumentException(pool);
            }
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
