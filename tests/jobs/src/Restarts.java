import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The restart strategy, by configuration keys: the classes for it differ by release. */
final class Restarts {
    private Restarts() {}

    /** Restarts up to that many times, a second after each failure. */
    static void allow(StreamExecutionEnvironment env, long times) {
        Configuration configuration = new Configuration();
        String strategy = times > 0 ? "fixed-delay" : "none";
        configuration.setString("restart-strategy", strategy); // up to 1.18
        configuration.setString("restart-strategy.type", strategy);
        configuration.setString("restart-strategy.fixed-delay.attempts", String.valueOf(times));
        configuration.setString("restart-strategy.fixed-delay.delay", "1 s");
        env.configure(configuration, Thread.currentThread().getContextClassLoader());
    }
}
