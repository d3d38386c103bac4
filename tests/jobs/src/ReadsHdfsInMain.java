import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;

/** Works on {@code --dir} in {@code main()}, as programs do that look for their input; then runs a small job. */
public final class ReadsHdfsInMain {
    public static void main(String[] args) throws Exception {
        Path dir = new Path(new Options(args).get("dir"));
        FileSystem fs = dir.getFileSystem();
        System.out.println("distributed: " + fs.isDistributedFS());

        FileStatus[] found = fs.listStatus(dir);
        Arrays.sort(found, Comparator.comparing(status -> status.getPath().getName()));
        for (FileStatus status : found) {
            String size = status.isDir() ? "directory" : Long.toString(status.getLen());
            System.out.println("found: " + status.getPath() + " " + size);
        }

        Path text = new Path(dir, "text.txt");
        try (FSDataInputStream in = fs.open(text)) {
            BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
            System.out.println("first line: " + lines.readLine());
        }
        long last = fs.getFileStatus(text).getLen() - 1;
        try (FSDataInputStream in = fs.open(text)) {
            in.seek(last);
            System.out.println("last byte: " + in.read() + " then " + in.read() + " at " + in.getPos());
            in.seek(0);
            System.out.println("first byte: " + in.read());
        }

        Path made = new Path(dir, "made/deep");
        System.out.println("mkdirs: " + fs.mkdirs(made));
        Path part = new Path(made, "part æ 1");
        try (FSDataOutputStream out = fs.create(part, FileSystem.WriteMode.NO_OVERWRITE)) {
            out.write("written in main\n".getBytes(StandardCharsets.UTF_8));
        }
        try {
            fs.create(part, FileSystem.WriteMode.NO_OVERWRITE).close();
            System.out.println("replaced what was there");
        } catch (java.io.IOException e) {
            System.out.println("not replaced");
        }
        System.out.println("rename: " + fs.rename(part, new Path(dir, "written.txt")));
        System.out.println("rename what is not there: " + fs.rename(part, new Path(dir, "never")));
        System.out.println("delete: " + fs.delete(new Path(dir, "made"), true));
        System.out.println("exists: " + fs.exists(made));
        try {
            fs.open(made);
            System.out.println("opened what is not there");
        } catch (FileNotFoundException e) {
            System.out.println("not found: " + e.getMessage());
        }

        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromCollection(Arrays.asList("a job after all")).print();
        env.execute("ReadsHdfsInMain");
    }
}
