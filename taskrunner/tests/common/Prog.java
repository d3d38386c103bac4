import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.FileReader;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** What the tests of the supervisor start: the first argument says how to behave. */
public class Prog {
    static final List<Object> KEEP = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "exit":
                System.exit(Integer.parseInt(args[1]));
                break;
            case "pipes":
                try (BufferedReader in = new BufferedReader(new FileReader(System.getenv("HEDDLE_BRIDGE_IN")));
                        PrintStream out = new PrintStream(new FileOutputStream(System.getenv("HEDDLE_BRIDGE_OUT")), true)) {
                    out.println("hello");
                    System.out.println("stdin=" + System.in.read());
                    new ProcessBuilder("sleep", "60").start();
                    String line;
                    while ((line = in.readLine()) != null) {
                        out.println("heard " + line);
                    }
                }
                System.exit(9);
                break;
            case "throw":
                throw new IllegalStateException("thrown on purpose");
            case "echo":
                for (String arg : args) {
                    System.out.println("arg=" + arg);
                }
                System.out.println("prop=" + System.getProperty("prop"));
                System.out.println("env=" + System.getenv("PROG_ENV"));
                System.out.println("cp=" + System.getProperty("java.class.path"));
                break;
            case "sleep":
                System.out.println("ready");
                Thread.sleep(600_000);
                break;
            case "stubborn":
                Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                    try {
                        Thread.sleep(600_000);
                    } catch (InterruptedException e) {
                        // ends
                    }
                }));
                System.out.println("ready");
                Thread.sleep(600_000);
                break;
            case "chatter":
                for (int i = 0; i < 500; i++) {
                    System.err.println("line " + i + " \u00e4\u20ac");
                }
                System.exit(7);
                break;
            case "heap":
                while (true) {
                    KEEP.add(new byte[1 << 20]);
                }
            case "direct":
                while (true) {
                    KEEP.add(ByteBuffer.allocateDirect(1 << 20));
                }
            case "metaspace":
                URL[] own = {Prog.class.getProtectionDomain().getCodeSource().getLocation()};
                while (true) {
                    URLClassLoader loader = new URLClassLoader(own, null);
                    KEEP.add(loader.loadClass("Prog"));
                    KEEP.add(loader);
                }
            default:
                throw new IllegalArgumentException(args[0]);
        }
    }
}
