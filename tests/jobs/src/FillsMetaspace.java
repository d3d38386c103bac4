import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Its task loads the same class again and again, each time by another class loader that it keeps, until there is no metaspace left.
 * The job is not restarted unless {@code --restarts N} says so.
 */
public final class FillsMetaspace {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Restarts.allow(env, options.number("restarts", 0));
        env.fromSequence(1, 10).map(number -> fill()).returns(Long.class).print();
        env.execute("FillsMetaspace");
    }

    private static Long fill() throws IOException {
        // A large class, so that the metaspace is full before the heap is.
        byte[] content = content("WordCount");
        List<Class<?>> kept = new ArrayList<>();
        while (true) {
            kept.add(new Loader().define("WordCount", content));
        }
    }

    private static byte[] content(String name) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        try (InputStream file = FillsMetaspace.class.getClassLoader().getResourceAsStream(name + ".class")) {
            byte[] buffer = new byte[8192];
            for (int read = file.read(buffer); read >= 0; read = file.read(buffer)) {
                content.write(buffer, 0, read);
            }
        }
        return content.toByteArray();
    }

    private static final class Loader extends ClassLoader {
        private Loader() {
            super(FillsMetaspace.class.getClassLoader());
        }

        private Class<?> define(String name, byte[] content) {
            return defineClass(name, content, 0, content.length);
        }
    }
}
