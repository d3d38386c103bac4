import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Counts the words that arrive on a socket, until it is closed: {@code [--host HOST] --port PORT}. */
public final class SocketWordCount {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        WordCount.countWords(
                        env.socketTextStream(options.get("host", "localhost"), (int) options.number("port", 9999)))
                .print();
        env.execute("SocketWordCount");
    }
}
