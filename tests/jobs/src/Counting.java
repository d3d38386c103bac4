import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;
import org.apache.flink.util.Collector;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/**
 * A slow sequence 0, 1, 2, ... counted per key (number modulo keys) in checkpointed state.
 *
 * <p>{@code [--checkpoints DIR] [--interval MS] [--restarts N] [--elements N] [--keys N] [--delay MS] [--progress DIR]
 * [--output DIR [--committed no]]}
 *
 * <p>Prints on the TaskManagers {@code count <key> <count>}, and after a restore, once per key,
 * {@code restored <key> <count before>}. The same words are the files {@code count-<key>} and {@code restored-<key>} of the
 * progress directory, each with the number alone. The number of an element tells how often its key was seen, so state
 * that does not continue where the source does fails the job: "heddle-test: state is lost".
 *
 * <p>With {@code --output} the words {@code count <key> <count>} are not printed but written to files there, each exactly once as soon
 * as the checkpoint after it is complete; with {@code --committed no} at once, so that a restore writes some a second time.
 */
public final class Counting {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (options.get("checkpoints") != null) {
            Configuration configuration = new Configuration();
            configuration.setString("state.checkpoints.dir", options.get("checkpoints"));
            configuration.setString(
                    "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
            env.configure(configuration, Thread.currentThread().getContextClassLoader());
        }
        if (options.get("interval") != null) {
            env.enableCheckpointing(options.number("interval", 0));
        }
        if (options.get("restarts") != null) {
            Restarts.allow(env, options.number("restarts", 0));
        }
        long keys = options.number("keys", 4);
        long delay = options.number("delay", 20);
        // One source in order, or a number would not tell its key's count.
        SingleOutputStreamOperator<String> counts =
                env.fromSequence(0, options.number("elements", Integer.MAX_VALUE) - 1)
                .setParallelism(1)
                .uid("sequence")
                .map(number -> slowly(number, delay))
                .returns(Types.LONG)
                .setParallelism(1)
                .keyBy(number -> number % keys, Types.LONG)
                .process(new Counter(keys, options.get("progress")))
                .returns(Types.STRING)
                .uid("counter");
        if (options.get("output") == null) {
            counts.print().uid("print");
        } else if ("no".equals(options.get("committed"))) {
            counts.filter(line -> line.startsWith("count ")).uid("counts").map(new AtOnce(options.get("output"))).returns(Types.STRING).print();
        } else {
            FileSink<String> files =
                    FileSink.forRowFormat(new Path(options.get("output")), new SimpleStringEncoder<String>("UTF-8"))
                            .withRollingPolicy(OnCheckpointRollingPolicy.build())
                            .build();
            counts.filter(line -> line.startsWith("count ")).uid("counts").sinkTo(files).uid("files");
        }
        env.execute("Counting");
    }

    private static Long slowly(Long number, long delay) throws InterruptedException {
        Thread.sleep(delay);
        return number;
    }

    /** Writes each line at once, whether or not its checkpoint is ever complete. */
    private static final class AtOnce implements MapFunction<String, String> {
        private static final long serialVersionUID = 1;

        private final String directory;
        private transient FSDataOutputStream stream;

        AtOnce(String directory) {
            this.directory = directory;
        }

        @Override
        public String map(String line) throws IOException {
            if (stream == null) {
                Path file = new Path(directory, UUID.randomUUID().toString());
                stream = file.getFileSystem().create(file, FileSystem.WriteMode.NO_OVERWRITE);
            }
            stream.write((line + "\n").getBytes(StandardCharsets.UTF_8));
            stream.flush();
            return line;
        }
    }

    private static final class Counter extends KeyedProcessFunction<Long, Long, String>
            implements CheckpointedFunction {
        private static final long serialVersionUID = 1;

        private final long keys;
        private final String progress;
        private transient ValueState<Long> count;
        private transient boolean restored;
        private transient Set<Long> seen;

        Counter(long keys, String progress) {
            this.keys = keys;
            this.progress = progress;
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            count = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("count", Types.LONG));
            restored = context.isRestored();
            seen = new HashSet<>();
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) {}

        @Override
        public void processElement(Long number, Context context, Collector<String> out) throws Exception {
            Long key = context.getCurrentKey();
            long before = count.value() == null ? 0 : count.value();
            if (before != number / keys) {
                throw new IllegalStateException(
                        "heddle-test: state is lost: element " + number + " finds the count " + before);
            }
            if (seen.add(key) && restored) {
                tell("restored", key, before, out);
            }
            count.update(before + 1);
            tell("count", key, before + 1, out);
        }

        private void tell(String what, long key, long number, Collector<String> out) throws IOException {
            out.collect(what + " " + key + " " + number);
            if (progress != null) {
                Path file = new Path(progress, what + "-" + key);
                try (FSDataOutputStream stream =
                        file.getFileSystem().create(file, FileSystem.WriteMode.OVERWRITE)) {
                    stream.write((number + "\n").getBytes(StandardCharsets.UTF_8));
                }
            }
        }
    }
}
