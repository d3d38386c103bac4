import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Its task takes direct memory until Java gives no more. The job is not restarted unless {@code --restarts N} says so. */
public final class FillsDirectMemory {
    private static final int PIECE = 16 << 20;

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Restarts.allow(env, options.number("restarts", 0));
        env.fromSequence(1, 10).map(number -> fill()).returns(Long.class).print();
        env.execute("FillsDirectMemory");
    }

    private static Long fill() {
        List<ByteBuffer> kept = new ArrayList<>();
        while (true) {
            kept.add(ByteBuffer.allocateDirect(PIECE));
        }
    }
}
