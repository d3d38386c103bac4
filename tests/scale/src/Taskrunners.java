import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * A program that stands for the taskrunners of all containers: it is told of each that starts (`start CONTAINER ADDRESS KEY PIN`)
 * or is to stop (`stop CONTAINER`), and tells which are served (`linked CONTAINER`) and which have ended (`ended CONTAINER CODE`).
 */
final class Taskrunners {
    private static final Text KEY = new Text("heddle.control.worker-key");
    private static final Text PIN = new Text("heddle.control.pin");
    private static final char[] DIGITS = "0123456789abcdef".toCharArray();

    private final Process process;
    private final Writer orders;

    Taskrunners(String program, Consumer<String> linked, BiConsumer<ContainerId, Integer> ended) throws IOException {
        process = new ProcessBuilder(program).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        orders = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.US_ASCII);
        BufferedReader told =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        Thread reader =
                new Thread(
                        () -> {
                            try {
                                for (String line; (line = told.readLine()) != null; ) {
                                    String[] words = line.split(" ");
                                    if (words[0].equals("linked")) {
                                        linked.accept(words[1]);
                                    } else if (words[0].equals("ended")) {
                                        ended.accept(ContainerId.fromString(words[1]), Integer.parseInt(words[2]));
                                    }
                                }
                            } catch (IOException e) {
                                System.err.println("the taskrunners cannot be heard any more: " + e);
                            }
                        },
                        "taskrunners");
        reader.setDaemon(true);
        reader.start();
    }

    long pid() {
        return process.pid();
    }

    /** False for a container that no taskrunner was wanted in. */
    boolean start(ContainerId container, ContainerLaunchContext context) throws IOException {
        String address = context.getEnvironment().get("HEDDLE_CONTROL");
        if (address == null || context.getTokens() == null) {
            return false;
        }
        tell("start " + container + " " + address + " " + keys(context.getTokens()));
        return true;
    }

    void stop(ContainerId container) throws IOException {
        tell("stop " + container);
    }

    void end() throws IOException {
        orders.close();
    }

    private synchronized void tell(String order) throws IOException {
        orders.write(order + "\n");
        orders.flush();
    }

    private static String keys(ByteBuffer tokens) throws IOException {
        byte[] bytes = new byte[tokens.remaining()];
        tokens.duplicate().get(bytes);
        Credentials credentials = new Credentials();
        credentials.readTokenStorageStream(new DataInputStream(new ByteArrayInputStream(bytes)));
        return hex(credentials, KEY) + " " + hex(credentials, PIN);
    }

    private static String hex(Credentials credentials, Text alias) throws IOException {
        byte[] secret = credentials.getSecretKey(alias);
        if (secret == null) {
            throw new IOException("the container's tokens hold no " + alias);
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : secret) {
            hex.append(DIGITS[(b >> 4) & 15]).append(DIGITS[b & 15]);
        }
        return hex.toString();
    }
}
