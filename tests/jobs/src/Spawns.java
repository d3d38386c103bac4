import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.io.IOException;

/**
 * {@code main()} and a task start a {@code sleep} each, as a program starts a helper that outlives it, and the job is busy for
 * about {@code --seconds} (60).
 */
public final class Spawns {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        spawn();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(1, options.number("seconds", 60) * 10).map(new Spawner()).setParallelism(1).print();
        env.execute("Spawns");
    }

    private static void spawn() throws IOException {
        new ProcessBuilder("sleep", "120").start();
    }

    private static final class Spawner extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        private transient boolean spawned;

        @Override
        public Long map(Long number) throws Exception {
            if (!spawned) {
                spawn();
                spawned = true;
            }
            Thread.sleep(100);
            return number;
        }
    }
}
