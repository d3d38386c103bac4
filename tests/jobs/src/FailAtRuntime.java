import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Its job fails on a TaskManager, and is not restarted unless {@code --restarts N} says so. With {@code --halt CODE} the TaskManager's
 * JVM ends at once, without a word.
 */
public final class FailAtRuntime {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Restarts.allow(env, options.number("restarts", 0));
        int halt = (int) options.number("halt", 0);
        env.fromSequence(1, 10).map(number -> fail(number, halt)).returns(Long.class).print();
        env.execute("FailAtRuntime");
    }

    private static Long fail(Long number, int halt) {
        if (halt != 0) {
            Runtime.getRuntime().halt(halt);
        }
        throw new IllegalArgumentException("heddle-test: failed at run time");
    }
}
