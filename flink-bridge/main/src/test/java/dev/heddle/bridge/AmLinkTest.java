package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

@Timeout(20)
class AmLinkTest {
    @TempDir Path directory;
    private Am am;

    @BeforeEach
    void open() throws Exception {
        am = new Am(directory);
    }

    @AfterEach
    void close() throws IOException {
        am.close();
        am.link.close();
    }

    @Test
    void linesTravelBothWaysAndTheEndIsHeard() throws Exception {
        Events events = new Events();
        am.link.start(events);
        am.link.send(BridgeMessages.release("container_ü"));
        assertEquals(BridgeMessages.release("container_ü"), am.hear());

        am.say("{\"type\":\"failed\",\"id\":3,\"reason\":\"größer\"}\n\n{\"type\":\"dere");
        assertEquals("größer", assertInstanceOf(AmMessage.Failed.class, events.seen.take()).reason);
        am.say("gistered\"}\n");
        assertInstanceOf(AmMessage.Deregistered.class, events.seen.take());
        am.close();
        assertInstanceOf(IOException.class, events.seen.take());
    }

    @Test
    void heddleAmHearsTheEnd() throws Exception {
        am.link.start(new Events());
        am.link.send(BridgeMessages.cancel(1));
        am.link.close();
        assertEquals(BridgeMessages.cancel(1), am.hear());
        assertNull(am.hear());
    }

    @Test
    void aPingIsAnsweredByTheLinkItself() throws Exception {
        Events events = new Events();
        am.link.start(events);
        am.say("{\"type\":\"ping\"}\n");
        assertEquals(BridgeMessages.pong(), am.hear());
        assertTrue(events.seen.isEmpty());
    }

    @Test
    void aTextForTheLogIsNoMessageForTheListener() throws Exception {
        Events events = new Events();
        am.link.start(events);
        am.say("{\"type\":\"log\",\"level\":\"WARN\",\"text\":\"x\"}\n{\"type\":\"deregistered\"}\n");
        assertInstanceOf(AmMessage.Deregistered.class, events.seen.take());
        assertTrue(events.seen.isEmpty());
    }

    @Test
    void flinkStartsWhenHeddleAmHasAnswered() throws Exception {
        BeforeLeading beforeLeading = new BeforeLeading();
        am.link.start(beforeLeading);
        am.say("{\"type\":\"start\",\"previousSession\":{\"id\":\"1f\",\"password\":\"Af8=\"}}\n");
        assertEquals(0x1f, beforeLeading.awaitStart().previousSession.id);
        // The end of the connection would end this process.
        am.link.setListener(new Events());
    }

    @Test
    void whatCannotBeReadEndsTheConnection() throws Exception {
        Events events = new Events();
        am.link.start(events);
        am.say("nonsense\n{\"type\":\"deregistered\"}\n");
        assertInstanceOf(IOException.class, events.seen.take());
        assertNull(am.hear());
        am.link.send(BridgeMessages.cancel(1)); // no exception: the listener was told
        assertNull(events.seen.poll(200, TimeUnit.MILLISECONDS));
    }

    @Test
    void whoeverCannotSendHearsOfTheEnd() throws Exception {
        Events events = new Events();
        am.link.start(events);
        am.stopHearing();
        am.link.send(BridgeMessages.cancel(1));
        am.link.send(BridgeMessages.cancel(2));
        assertTrue(assertInstanceOf(IOException.class, events.seen.take()).getMessage().contains("broke"));
        am.close();
        assertNull(events.seen.poll(200, TimeUnit.MILLISECONDS), "it is told once");
    }

    @Test
    void errorsNameTheVariableAndThePipes() {
        Map<String, String> environment = new HashMap<>();
        environment.put(AmLink.INPUT_VARIABLE, "/proc/self/fd/99999");
        String error = openError(environment);
        assertTrue(error.contains(AmLink.OUTPUT_VARIABLE) && error.contains("of one release"), error);
        environment.put(AmLink.OUTPUT_VARIABLE, "/proc/self/fd/99998");
        error = openError(environment);
        assertTrue(error.contains("/proc/self/fd/99999 and /proc/self/fd/99998"), error);
    }

    private static String openError(Map<String, String> environment) {
        return assertThrows(IOException.class, () -> AmLink.open(environment, "1.20.1", 1)).getMessage();
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
