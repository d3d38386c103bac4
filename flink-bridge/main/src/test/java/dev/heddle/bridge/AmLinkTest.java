package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

@Timeout(20)
class AmLinkTest {
    private ServerSocket server;

    @BeforeEach
    void listen() throws IOException {
        server = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private static BufferedReader lines(Socket socket) throws IOException {
        return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    }

    @Test
    void linesTravelBothWaysAndTheEndIsHeard() throws Exception {
        Events events = new Events();
        try (AmLink link = AmLink.connect(environment(), "1.20.1", 1);
                Socket am = server.accept()) {
            link.start(events);
            BufferedReader received = lines(am);
            assertEquals(BridgeMessages.hello("top secret", "1.20.1", 1), received.readLine());
            link.send(BridgeMessages.release("container_ü"));
            assertEquals(BridgeMessages.release("container_ü"), received.readLine());

            say(am, "{\"type\":\"failed\",\"id\":3,\"reason\":\"größer\"}\n\n{\"type\":\"dere");
            assertEquals("größer", assertInstanceOf(AmMessage.Failed.class, events.seen.take()).reason);
            say(am, "gistered\"}\n");
            assertInstanceOf(AmMessage.Deregistered.class, events.seen.take());
        }
        assertInstanceOf(IOException.class, events.seen.take());
    }

    @Test
    void aPingIsAnsweredByTheLinkItself() throws Exception {
        Events events = new Events();
        try (AmLink link = AmLink.connect(environment(), "1.20.1", 1);
                Socket am = server.accept()) {
            link.start(events);
            BufferedReader received = lines(am);
            received.readLine();
            say(am, "{\"type\":\"ping\"}\n");
            assertEquals(BridgeMessages.pong(), received.readLine());
            assertTrue(events.seen.isEmpty());
        }
    }

    @Test
    void flinkStartsWhenHeddleAmHasAnswered() throws Exception {
        BeforeLeading beforeLeading = new BeforeLeading();
        try (AmLink link = AmLink.connect(environment(), "1.20.1", 1);
                Socket am = server.accept()) {
            link.start(beforeLeading);
            say(am, "{\"type\":\"start\",\"previousSession\":{\"id\":\"1f\",\"password\":\"Af8=\"}}\n");
            assertEquals(0x1f, beforeLeading.awaitStart().previousSession.id);
            // The end of the connection would end this process.
            link.setListener(new Events());
        }
    }

    @Test
    void whatCannotBeReadEndsTheConnection() throws Exception {
        Events events = new Events();
        try (AmLink link = AmLink.connect(environment(), "1.20.1", 1);
                Socket am = server.accept()) {
            link.start(events);
            say(am, "nonsense\n{\"type\":\"deregistered\"}\n");
            assertInstanceOf(IOException.class, events.seen.take());
            link.send(BridgeMessages.cancel(1)); // no exception: the listener was told
            assertTrue(events.seen.isEmpty());
        }
    }

    @Test
    void errorsNameTheVariableAndNeverTheSecret() throws Exception {
        Map<String, String> environment = environment();
        environment.remove(AmLink.PORT_VARIABLE);
        assertTrue(connectError(environment).contains(AmLink.PORT_VARIABLE));
        environment.put(AmLink.PORT_VARIABLE, "65536");
        assertTrue(connectError(environment).contains("not a port"));

        environment = environment();
        server.close();
        String error = connectError(environment);
        assertTrue(error.contains("127.0.0.1:" + environment.get(AmLink.PORT_VARIABLE)), error);
        assertTrue(!error.contains("top secret"), error);
    }

    private static String connectError(Map<String, String> environment) {
        return assertThrows(IOException.class, () -> AmLink.connect(environment, "1.20.1", 1)).getMessage();
    }

    private Map<String, String> environment() {
        Map<String, String> environment = new HashMap<>();
        environment.put(AmLink.PORT_VARIABLE, String.valueOf(server.getLocalPort()));
        environment.put(AmLink.SECRET_VARIABLE, "top secret");
        return environment;
    }

    private static void say(Socket am, String text) throws IOException {
        am.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
        am.getOutputStream().flush();
    }

    /** Messages and the final error, in order. */
    private static final class Events implements AmLink.Listener {
        final BlockingQueue<Object> seen = new LinkedBlockingQueue<>();

        @Override
        public void onMessage(AmMessage message) {
            seen.add(message);
        }

        @Override
        public void onClosed(IOException cause) {
            seen.add(cause);
        }
    }
}
