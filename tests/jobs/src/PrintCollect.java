import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;

import java.util.Arrays;

/** {@code main()} prints, and collects what its job computed. */
public final class PrintCollect {
    public static void main(String[] args) throws Exception {
        System.out.println("main: before");
        System.err.println("main: to the error stream");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        try (CloseableIterator<Integer> squares =
                env.fromCollection(Arrays.asList(1, 2, 3, 4, 5))
                        .map(number -> number * number)
                        .returns(Integer.class)
                        .setParallelism(1)
                        .executeAndCollect("PrintCollect")) {
            while (squares.hasNext()) {
                System.out.println("collected: " + squares.next());
            }
        }
        System.out.println("main: after");
    }
}
