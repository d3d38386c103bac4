import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Keeps all its slots busy for about {@code --seconds} (10), with the parallelism of the submission, and starts again from
 * the beginning up to {@code --restarts} (10) times. Its accumulator {@code slept} counts the tenths of seconds. {@code main()}
 * itself sleeps for {@code --before} (0) seconds. With {@code --then} another job follows, which takes so many seconds.
 * {@code --name} is the name of the jobs.
 */
public final class Sleepy {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism((int) options.number("parallelism", env.getParallelism()));
        Restarts.allow(env, options.number("restarts", 10));
        Thread.sleep(options.number("before", 0) * 1000);
        String name = options.get("name", "Sleepy");
        sleep(env, name, options.number("seconds", 10));
        if (options.get("then") != null) {
            sleep(env, name, options.number("then", 0));
        }
    }

    private static void sleep(StreamExecutionEnvironment env, String name, long seconds) throws Exception {
        env.fromSequence(1, seconds * 10 * env.getParallelism()).map(new Sleep()).print();
        env.execute(name);
    }

    private static final class Sleep extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        private transient LongCounter slept;

        @Override
        public Long map(Long number) throws InterruptedException {
            if (slept == null) {
                slept = getRuntimeContext().getLongCounter("slept");
            }
            Thread.sleep(100);
            slept.add(1);
            return number;
        }
    }
}
