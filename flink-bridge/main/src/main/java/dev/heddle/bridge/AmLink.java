package dev.heddle.bridge;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * The connection to heddle-am. It lives as long as the process: whoever loses it has lost the other side, and without
 * heddle-am a JobManager has no workers and no place in YARN.
 */
final class AmLink implements Closeable {
    static final String PORT_VARIABLE = "HEDDLE_BRIDGE_PORT";
    static final String SECRET_VARIABLE = "HEDDLE_BRIDGE_SECRET";

    private static final Logger LOG = LoggerFactory.getLogger(AmLink.class);
    private static final int CONNECT_TIMEOUT_MS = 10_000;

    /** Called by the reading thread. */
    interface Listener {
        void onMessage(AmMessage message);

        /** The last call: nothing can be sent or received any more. */
        void onClosed(IOException cause);
    }

    private final Socket socket;
    private final OutputStream output;
    private final BufferedReader input;
    private volatile Listener listener;

    private AmLink(Socket socket) throws IOException {
        this.socket = socket;
        this.output = socket.getOutputStream();
        this.input = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    }

    /** Connects to the port that the environment names and says hello. */
    static AmLink connect(Map<String, String> environment, String flinkVersion, long pid) throws IOException {
        int port = port(variable(environment, PORT_VARIABLE));
        String secret = variable(environment, SECRET_VARIABLE);
        Socket socket = new Socket();
        try {
            socket.connect(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), port), CONNECT_TIMEOUT_MS);
            socket.setTcpNoDelay(true);
            AmLink link = new AmLink(socket);
            link.write(BridgeMessages.hello(secret, flinkVersion, pid));
            return link;
        } catch (IOException e) {
            socket.close();
            throw new IOException("cannot connect to heddle-am on 127.0.0.1:" + port + ": " + e.getMessage(), e);
        }
    }

    /** Begins to read; messages arrive in order. */
    void start(Listener first) {
        listener = first;
        Thread reader = new Thread(this::read, "heddle-am-link");
        reader.setDaemon(true);
        reader.start();
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
            close();
        }
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            LOG.debug("Closing the connection to heddle-am failed.", e);
        }
    }

    private synchronized void write(String line) throws IOException {
        output.write((line + '\n').getBytes(StandardCharsets.UTF_8));
        output.flush();
    }

    private void read() {
        IOException cause;
        try {
            String line;
            while ((line = input.readLine()) != null) {
                if (line.isEmpty()) {
                    continue;
                }
                AmMessage message = AmMessage.decode(line);
                if (message instanceof AmMessage.Ping) {
                    send(BridgeMessages.pong());
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
        close();
        listener.onClosed(cause);
    }

    private static String variable(Map<String, String> environment, String name) throws IOException {
        String value = environment.get(name);
        if (value == null || value.isEmpty()) {
            throw new IOException("the environment variable " + name + " is not set; heddle-am sets it");
        }
        return value;
    }

    private static int port(String text) throws IOException {
        try {
            int port = Integer.parseInt(text);
            if (port > 0 && port <= 65535) {
                return port;
            }
        } catch (NumberFormatException e) {
            LOG.debug("{} is not a number.", PORT_VARIABLE, e);
        }
        throw new IOException("the environment variable " + PORT_VARIABLE + " is not a port: " + text);
    }
}
