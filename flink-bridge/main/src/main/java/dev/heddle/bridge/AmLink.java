package dev.heddle.bridge;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The connection to heddle-am, over two pipes that this process has inherited. It lives as long as the process: whoever loses it has
 * lost the other side, and without heddle-am a JobManager has no workers and no place in YARN.
 */
final class AmLink implements Closeable {
    static final String INPUT_VARIABLE = "HEDDLE_BRIDGE_IN";
    static final String OUTPUT_VARIABLE = "HEDDLE_BRIDGE_OUT";

    private static final Logger LOG = LoggerFactory.getLogger(AmLink.class);

    /** Called by the reading thread, or by the one that tells of the end. */
    interface Listener {
        void onMessage(AmMessage message);

        /** The last call: nothing can be sent or received any more. */
        void onClosed(IOException cause);
    }

    // Streams of files and not of channels: those would be closed when a thread that writes is interrupted.
    private final FileInputStream input;
    private final FileOutputStream output;
    private final AtomicBoolean ended = new AtomicBoolean();
    private volatile Listener listener;

    private AmLink(FileInputStream input, FileOutputStream output) {
        this.input = input;
        this.output = output;
    }

    /** Opens the pipes that the environment names and says hello. */
    static AmLink open(Map<String, String> environment, String flinkVersion, long pid) throws IOException {
        String from = variable(environment, INPUT_VARIABLE);
        String to = variable(environment, OUTPUT_VARIABLE);
        FileInputStream input = null;
        FileOutputStream output = null;
        try {
            input = new FileInputStream(from);
            output = new FileOutputStream(to);
            AmLink link = new AmLink(input, output);
            link.write(BridgeMessages.hello(flinkVersion, pid));
            return link;
        } catch (IOException e) {
            close(input);
            close(output);
            throw new IOException(
                    "cannot speak with heddle-am over the pipes " + from + " and " + to + ": " + e.getMessage(), e);
        }
    }

    /** Begins to read; messages arrive in order. */
    void start(Listener first) {
        listener = first;
        // A read that waits cannot be interrupted, so no end of the process may wait for this thread.
        startDaemon("heddle-am-link", this::read);
    }

    /** Hands what arrives from now on to another listener. */
    void setListener(Listener next) {
        listener = next;
    }

    /** Sends a line. A failure ends the connection, which the listener hears of: callers need not handle it. */
    void send(String line) {
        try {
            write(line);
        } catch (IOException e) {
            LOG.warn("Sending to heddle-am failed: {}", e.toString());
            IOException cause = new IOException("the connection to heddle-am broke: " + e.getMessage(), e);
            // Not by the caller, who may hold a lock that the end of the process waits for.
            startDaemon("heddle-am-link-end", () -> end(cause));
        }
    }

    /** A read that waits goes on to wait; what it gets is dropped. */
    @Override
    public void close() {
        close(input);
        close(output);
    }

    private synchronized void write(String line) throws IOException {
        output.write((line + '\n').getBytes(StandardCharsets.UTF_8));
    }

    private void read() {
        IOException cause;
        try {
            BufferedReader lines = new BufferedReader(new InputStreamReader(input, StandardCharsets.UTF_8));
            String line;
            while ((line = lines.readLine()) != null && !ended.get()) {
                if (line.isEmpty()) {
                    continue;
                }
                AmMessage message = AmMessage.decode(line);
                if (message instanceof AmMessage.Ping) {
                    send(BridgeMessages.pong());
                } else if (message instanceof AmMessage.Log) {
                    ((AmMessage.Log) message).writeTo(LOG);
                } else {
                    listener.onMessage(message);
                }
            }
            cause = new IOException("heddle-am closed the connection");
        } catch (IOException e) {
            cause = new IOException("the connection to heddle-am broke: " + e.getMessage(), e);
        } catch (RuntimeException e) {
            cause = new IOException("a message of heddle-am could not be handled: " + e.getMessage(), e);
        }
        end(cause);
    }

    /** Once, however many threads notice it. */
    private void end(IOException cause) {
        close();
        if (ended.compareAndSet(false, true)) {
            listener.onClosed(cause);
        }
    }

    private static void startDaemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    private static void close(Closeable stream) {
        try {
            if (stream != null) {
                stream.close();
            }
        } catch (IOException e) {
            LOG.debug("Closing the connection to heddle-am failed.", e);
        }
    }

    private static String variable(Map<String, String> environment, String name) throws IOException {
        String value = environment.get(name);
        if (value == null || value.isEmpty()) {
            throw new IOException(
                    "the environment variable "
                            + name
                            + " is not set; heddle-am sets it, and flink-bridge.jar and heddle-am must be of one release");
        }
        return value;
    }
}
