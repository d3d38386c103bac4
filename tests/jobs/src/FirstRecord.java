import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;

/** A small bounded job that writes the time at which its first record is there, in milliseconds since 1970, to {@code --marker FILE}. */
public final class FirstRecord {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(1, options.number("records", 1000)).map(new Mark(options.get("marker"))).print();
        env.execute("FirstRecord");
    }

    private static final class Mark implements MapFunction<Long, Long> {
        private static final long serialVersionUID = 1;

        private final String marker;
        private transient boolean marked;

        private Mark(String marker) {
            this.marker = marker;
        }

        @Override
        public Long map(Long number) throws IOException {
            if (!marked) {
                marked = true;
                byte[] now = String.valueOf(System.currentTimeMillis()).getBytes(StandardCharsets.US_ASCII);
                Path made = Paths.get(marker);
                try {
                    Files.write(made, now, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                } catch (FileAlreadyExistsException e) {
                    // Another task was first.
                }
            }
            return number;
        }
    }
}
