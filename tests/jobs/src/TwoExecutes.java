import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Two jobs, one after the other. */
public final class TwoExecutes {
    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(1, 3).print();
        env.execute("TwoExecutes: first");
        System.out.println("main: between");
        env.fromSequence(4, 6).print();
        env.execute("TwoExecutes: second");
        System.out.println("main: after");
    }
}
