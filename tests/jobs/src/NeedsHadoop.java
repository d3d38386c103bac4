import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.net.URI;
import java.util.Arrays;

/**
 * Uses Hadoop's own classes in {@code main()}, as a program does that works on the tables of a lakehouse: makes the directory
 * {@code --make} in HDFS. Then it runs a small job. It is compiled without these classes.
 */
public final class NeedsHadoop {
    public static void main(String[] args) throws Exception {
        String directory = new Options(args).get("make");
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        Class<?> configuration = Class.forName("org.apache.hadoop.conf.Configuration", true, loader);
        Class<?> fileSystem = Class.forName("org.apache.hadoop.fs.FileSystem", true, loader);
        Class<?> path = Class.forName("org.apache.hadoop.fs.Path", true, loader);

        Object conf = configuration.getConstructor().newInstance();
        Object name = configuration.getMethod("get", String.class).invoke(conf, "fs.defaultFS");
        System.out.println("default file system: " + name);
        Object fs = fileSystem.getMethod("get", configuration).invoke(null, conf);
        Object wanted = path.getConstructor(String.class).newInstance(directory);
        Object made = fileSystem.getMethod("mkdirs", path).invoke(fs, wanted);
        System.out.println("made by " + fs.getClass().getSimpleName() + ": " + made);
        FileSystem ofFlink = FileSystem.getUnguardedFileSystem(URI.create(name.toString()));
        System.out.println("of Flink: " + ofFlink.getClass().getSimpleName());

        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromCollection(Arrays.asList("a job after all")).print();
        env.execute("NeedsHadoop");
    }
}
