import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Prints each argument as a line {@code arg <index> <JSON string, ASCII only>}, then runs a tiny job. */
public final class EchoArgs {
    public static void main(String[] args) throws Exception {
        System.out.println("args " + args.length);
        for (int i = 0; i < args.length; i++) {
            System.out.println("arg " + i + " " + json(args[i]));
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(1, 1).print();
        env.execute("EchoArgs");
    }

    private static String json(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }
}
