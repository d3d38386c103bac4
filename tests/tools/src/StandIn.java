package standins;

import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * What the programs here have in common. Each has the name of a tool's program, and of what that does only what matters for the
 * deployment: it looks for what the tool expects to find in its container, and runs a job.
 */
public final class StandIn {
    private StandIn() {}

    /** Tells what was found, in a line of standard output. */
    public static void tell(String what, Object value) {
        System.out.println("found " + what + " " + value);
    }

    /** Runs a job for about so many seconds. */
    public static void run(String name, long seconds) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        env.fromSequence(1, Math.max(1, seconds * 10)).map(new Slow()).print();
        env.execute(name);
    }

    /** The value behind a word of the arguments. */
    public static String behind(String option, String[] args) {
        for (int at = 0; at + 1 < args.length; at++) {
            if (args[at].equals(option)) {
                return args[at + 1];
            }
        }
        throw new IllegalArgumentException("no " + option);
    }

    private static final class Slow implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        @Override
        public Long map(Long number) throws InterruptedException {
            Thread.sleep(100);
            return number;
        }
    }
}
