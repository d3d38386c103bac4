package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.slf4j.Logger;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

class MessagesTest {
    @Test
    void helloCarriesWhatTheAmChecks() {
        assertEquals(
                "{\"type\":\"hello\",\"protocol\":2,\"flink\":\"1.20.1\",\"pid\":42}",
                BridgeMessages.hello("1.20.1", 42));
    }

    @Test
    void readyWithoutWebInterfaceSaysNull() {
        assertEquals(
                "{\"type\":\"ready\",\"rest\":null,\"rpc\":\"flink://a\"}", BridgeMessages.ready(null, "flink://a"));
    }

    @Test
    void theSessionWithZooKeeperGoesBothWays() throws IOException {
        ZooKeeperSession session = new ZooKeeperSession(0xf00d_0000_0000_0001L, new byte[] {1, -1});
        assertEquals(
                "{\"type\":\"zookeeperSession\",\"id\":\"f00d000000000001\",\"password\":\"Af8=\"}",
                BridgeMessages.zookeeperSession(session));
        String start =
                "{\"type\":\"start\",\"previousSession\":{\"id\":\"f00d000000000001\",\"password\":\"Af8=\"}}";
        assertEquals(session, decode(AmMessage.Start.class, start).previousSession);
        assertNull(decode(AmMessage.Start.class, "{\"type\":\"start\",\"previousSession\":null}").previousSession);
        assertNull(decode(AmMessage.Start.class, "{\"type\":\"start\"}").previousSession);
        assertFalse(session.toString().contains("Af8"));
    }

    @Test
    void tokensAreAskedForAndAnswered() throws IOException {
        assertEquals("{\"type\":\"canObtainTokens\"}", BridgeMessages.canObtainTokens());
        AmMessage.ObtainTokens asked =
                decode(
                        AmMessage.ObtainTokens.class,
                        "{\"type\":\"obtainTokens\",\"fileSystems\":[\"hdfs://ns\",\"hdfs://10.0.0.1:8020\"]}");
        assertEquals(Arrays.asList("hdfs://ns", "hdfs://10.0.0.1:8020"), asked.fileSystems);
        assertEquals(
                "{\"type\":\"tokens\",\"credentials\":\"SERUUw==\",\"expires\":1700000000000,\"failure\":null}",
                BridgeMessages.tokens(new byte[] {'H', 'D', 'T', 'S'}, 1_700_000_000_000L, null));
        assertEquals(
                "{\"type\":\"tokens\",\"credentials\":null,\"expires\":null,\"failure\":\"no KDC\"}",
                BridgeMessages.tokens(null, 0, "no KDC"));
    }

    @Test
    void everyMessageIsOneLine() throws IOException {
        String line = BridgeMessages.deregister("FAILED", "a\nb\r\n\u2028\"c\" \\ é");
        assertFalse(line.contains("\n") || line.contains("\r"));
        assertEquals("a\nb\r\n\u2028\"c\" \\ é", Json.parseObject(line).get("diagnostics").asText());
    }

    @Test
    void deregisterWithoutDiagnosticsIsEmptyText() {
        assertEquals(
                "{\"type\":\"deregister\",\"status\":\"SUCCEEDED\",\"diagnostics\":\"\"}",
                BridgeMessages.deregister("SUCCEEDED", null));
    }

    @Test
    void failureCarriesTheTraceOfWhichTheEndsAreKept() throws IOException {
        assertEquals(
                "{\"type\":\"failure\",\"what\":\"w\",\"trace\":\"a\\n\\tat b\"}", BridgeMessages.failure("w", "a\n\tat b"));
        char[] frames = new char[1 << 20];
        Arrays.fill(frames, 'x');
        String shortened = Failures.shortened("first\n\tat " + new String(frames) + "\nCaused by: root");
        assertTrue(shortened.startsWith("first\n") && shortened.endsWith("\nCaused by: root"));
        assertTrue(shortened.length() < 1 << 17);
    }

    @Test
    void decodesRegisteredAndIgnoresUnknownFields() throws IOException {
        AmMessage.Registered registered =
                decode(
                        AmMessage.Registered.class,
                        "{\"type\":\"registered\",\"maxMemoryMb\":8192,\"maxVcores\":4,"
                                + "\"resources\":{\"yarn.io/gpu\":2},\"new\":[1]}");
        assertEquals(8192, registered.maxMemoryMb);
        assertEquals(4, registered.maxVcores);
        assertEquals(Collections.singletonMap("yarn.io/gpu", 2L), registered.resources);
    }

    @Test
    void decodesWorkers() throws IOException {
        AmMessage.Previous previous =
                decode(
                        AmMessage.Previous.class,
                        "{\"type\":\"previous\",\"workers\":[{\"worker\":\"c_1\",\"node\":\"h:1\",\"host\":\"h\"}]}");
        assertEquals("c_1", previous.workers.get(0).container());
        assertEquals("h:1", previous.workers.get(0).getResourceID().getMetadata());

        AmMessage.Allocated allocated =
                decode(
                        AmMessage.Allocated.class,
                        "{\"type\":\"allocated\",\"id\":7,\"worker\":\"c_2\",\"host\":\"h\",\"node\":\"h:1\"}");
        assertEquals(7, allocated.id);
        assertEquals("h", allocated.worker.host);
        assertTrue(
                decode(AmMessage.Previous.class, "{\"type\":\"previous\",\"workers\":[]}").workers.isEmpty());
    }

    @Test
    void decodesTheRest() throws IOException {
        assertEquals(
                "no room",
                decode(AmMessage.Failed.class, "{\"type\":\"failed\",\"id\":1,\"reason\":\"no room\"}").reason);
        assertEquals(
                "c_1",
                decode(AmMessage.Terminated.class, "{\"type\":\"terminated\",\"worker\":\"c_1\",\"reason\":\"x\"}")
                        .worker);
        decode(AmMessage.Deregistered.class, "{\"type\":\"deregistered\"}");
        assertEquals("bye", decode(AmMessage.Fatal.class, "{\"type\":\"fatal\",\"reason\":\"bye\"}").reason);
        assertEquals("later", decode(AmMessage.Unknown.class, "{\"type\":\"later\"}").type);
    }

    @Test
    void aTextForTheLogHasALevel() throws IOException {
        AmMessage.Log warning =
                decode(AmMessage.Log.class, "{\"type\":\"log\",\"level\":\"WARN\",\"text\":\"3 containers {}\"}");
        assertTrue(warning.warning);
        assertEquals("3 containers {}", warning.text);
        assertFalse(decode(AmMessage.Log.class, "{\"type\":\"log\",\"level\":\"INFO\",\"text\":\"x\"}").warning);
        assertFalse(decode(AmMessage.Log.class, "{\"type\":\"log\",\"level\":\"NEW\",\"text\":\"x\"}").warning);
        assertFalse(decode(AmMessage.Log.class, "{\"type\":\"log\",\"text\":\"x\"}").warning);
    }

    @Test
    void aTextIsWrittenToTheLogAsItIs() {
        List<String> written = new ArrayList<>();
        Logger log =
                (Logger)
                        Proxy.newProxyInstance(
                                MessagesTest.class.getClassLoader(),
                                new Class<?>[] {Logger.class},
                                (proxy, method, arguments) -> {
                                    written.add(method.getName() + ' ' + Arrays.toString(arguments));
                                    return null;
                                });
        new AmMessage.Log(true, "3 containers {}").writeTo(log);
        new AmMessage.Log(false, "x").writeTo(log);
        assertEquals(Arrays.asList("warn [{}, 3 containers {}]", "info [{}, x]"), written);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "null",
                "{",
                "{} {}",
                "{}",
                "{\"type\":7}",
                "{\"type\":\"failed\",\"id\":1}",
                "{\"type\":\"failed\",\"id\":\"1\",\"reason\":\"x\"}",
                "{\"type\":\"failed\",\"id\":1.5,\"reason\":\"x\"}",
                "{\"type\":\"failed\",\"id\":99999999999999999999,\"reason\":\"x\"}",
                "{\"type\":\"start\",\"previousSession\":{\"id\":\"1\"}}",
                "{\"type\":\"start\",\"previousSession\":{\"id\":\"x\",\"password\":\"Af8=\"}}",
                "{\"type\":\"start\",\"previousSession\":{\"id\":\"1\",\"password\":\"!\"}}",
                "{\"type\":\"obtainTokens\"}",
                "{\"type\":\"log\",\"level\":\"WARN\"}",
                "{\"type\":\"log\",\"text\":7}",
                "{\"type\":\"previous\"}",
                "{\"type\":\"previous\",\"workers\":[{}]}",
                "{\"type\":\"registered\",\"maxMemoryMb\":1,\"maxVcores\":1,\"resources\":{\"a\":\"b\"}}",
            })
    void refusesWhatIsMalformed(String line) {
        assertThrows(IOException.class, () -> AmMessage.decode(line));
    }

    @Test
    void errorsDoNotRepeatTheLine() {
        IOException error = assertThrows(IOException.class, () -> AmMessage.decode("{\"secret\":\"abc\" x"));
        assertFalse(error.toString().contains("abc"));
    }

    private static <T extends AmMessage> T decode(Class<T> kind, String line) throws IOException {
        return assertInstanceOf(kind, AmMessage.decode(line));
    }
}
