import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Its job fails on a TaskManager, and is not restarted unless {@code --restarts N} says so. */
public final class FailAtRuntime {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Restarts.allow(env, options.number("restarts", 0));
        env.fromSequence(1, 10).map(FailAtRuntime::fail).returns(Long.class).print();
        env.execute("FailAtRuntime");
    }

    private static Long fail(Long number) {
        throw new IllegalArgumentException("heddle-test: failed at run time");
    }
}
