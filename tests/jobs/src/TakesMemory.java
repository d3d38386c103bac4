import java.lang.reflect.Field;
import java.lang.reflect.Method;
import org.apache.flink.api.common.io.GenericInputFormat;
import org.apache.flink.core.io.GenericInputSplit;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Takes memory that no pool of Flink knows and no limit of Java covers, and keeps it for {@code --seconds} (120): {@code --mb}
 * of it, written to unless {@code --reserved} says that address space is enough; in a task, or with {@code --where master} in the
 * JobManager. The job is not restarted unless {@code --restarts N} says so.
 */
public final class TakesMemory {
    private static final long CHUNK = 64L << 20;

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        Restarts.allow(env, options.number("restarts", 0));
        Source source = new Source();
        source.bytes = options.number("mb", 1024) << 20;
        source.written = options.number("reserved", 0) == 0;
        source.onMaster = "master".equals(options.get("where", "task"));
        source.millis = options.number("seconds", 120) * 1000;
        env.createInput(source, org.apache.flink.api.common.typeinfo.Types.LONG).print();
        env.execute("TakesMemory");
    }

    private static final class Source extends GenericInputFormat<Long> {
        private static final long serialVersionUID = 1;

        private long bytes;
        private boolean written;
        private boolean onMaster;
        private long millis;
        private boolean done;

        @Override
        public GenericInputSplit[] createInputSplits(int number) throws java.io.IOException {
            if (onMaster) {
                take();
            }
            return super.createInputSplits(number);
        }

        @Override
        public void open(GenericInputSplit split) throws java.io.IOException {
            super.open(split);
            if (!onMaster) {
                take();
            }
        }

        @Override
        public boolean reachedEnd() {
            return done;
        }

        @Override
        public Long nextRecord(Long reuse) {
            done = true;
            return bytes;
        }

        private void take() {
            try {
                // By reflection: not in the API that Java 8 class files are compiled against.
                Class<?> type = Class.forName("sun.misc.Unsafe");
                Field field = type.getDeclaredField("theUnsafe");
                field.setAccessible(true);
                Object unsafe = field.get(null);
                Method allocate = type.getMethod("allocateMemory", long.class);
                Method fill = type.getMethod("setMemory", long.class, long.class, byte.class);
                for (long taken = 0; taken < bytes; taken += CHUNK) {
                    Object address = allocate.invoke(unsafe, CHUNK);
                    if (written) {
                        fill.invoke(unsafe, address, CHUNK, (byte) 1);
                    }
                }
                Thread.sleep(millis);
            } catch (ReflectiveOperationException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
