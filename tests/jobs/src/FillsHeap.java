import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Its task takes heap until Java has no more, in pieces so large that the other threads of the TaskManager still find some. The job
 * is not restarted unless {@code --restarts N} says so.
 */
public final class FillsHeap {
    private static final int PIECE = 16 << 20;

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Restarts.allow(env, options.number("restarts", 0));
        env.fromSequence(1, 10).map(number -> fill()).returns(Long.class).print();
        env.execute("FillsHeap");
    }

    private static Long fill() {
        List<byte[]> kept = new ArrayList<>();
        while (true) {
            kept.add(new byte[PIECE]);
        }
    }
}
