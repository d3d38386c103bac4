import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A job graph of {@code --operators} (500) operators one behind the other; its result is 1 more for each of them. */
public final class Wide {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataStream<Long> numbers = env.fromSequence(0, 0);
        for (long i = 1; i <= options.number("operators", 500); i++) {
            numbers = numbers.map(new Plus()).setParallelism(1).name("plus " + i);
        }
        numbers.print().setParallelism(1);
        env.execute("Wide");
    }

    private static final class Plus implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        @Override
        public Long map(Long number) {
            return number + 1;
        }
    }
}
