package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.client.deployment.application.ApplicationConfiguration;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

class StartupTest {
    static Map<String, String> environment(String... more) {
        Map<String, String> environment = new HashMap<>();
        environment.put("NM_HOST", "node1");
        for (int i = 0; i < more.length; i += 2) {
            environment.put(more[i], more[i + 1]);
        }
        return environment;
    }

    @Test
    void argumentsAreVerbatim() {
        Arguments arguments =
                Arguments.parse("--configDir", "conf", "-D", "a=\"x y\"=1\n", "-Db=", "-D", "b=2", "--program", "p");
        assertEquals("conf", arguments.configDir);
        assertEquals("p", arguments.program);
        assertEquals("\"x y\"=1\n", arguments.properties.get("a"));
        assertEquals("2", arguments.properties.get("b"));
        assertEquals(".", Arguments.parse().configDir);
    }

    @Test
    void badArgumentsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Arguments.parse("--configDir"));
        assertThrows(IllegalArgumentException.class, () -> Arguments.parse("-D"));
        assertThrows(IllegalArgumentException.class, () -> Arguments.parse("-D", "novalue"));
        assertThrows(IllegalArgumentException.class, () -> Arguments.parse("what"));
    }

    @Test
    void addressesAreThisHosts() {
        Configuration file = new Configuration();
        file.setString("jobmanager.rpc.address", "localhost");
        file.setString("rest.bind-address", "0.0.0.0");
        file.setString("web.port", "8081");
        file.setString("high-availability.cluster-id", "mine");

        Configuration flink1 = Startup.effective(file, Collections.singletonMap("x", "y"), environment(), "1.20.1");
        assertEquals("node1", flink1.getString("jobmanager.rpc.address", null));
        assertEquals("node1", flink1.getString("rest.address", null));
        assertEquals("node1", flink1.getString("rest.bind-address", null));
        assertEquals("0", flink1.get(RestOptions.BIND_PORT));
        assertEquals("mine", flink1.getString("high-availability.cluster-id", null));
        assertEquals("y", flink1.getString("x", null));
        assertFalse(flink1.containsKey("io.tmp.dirs"));

        Configuration flink2 = Startup.effective(file, Collections.emptyMap(), environment(), "2.2.0");
        assertEquals("0.0.0.0", flink2.getString("rest.bind-address", null));
        assertEquals("0", flink2.getString("rest.bind-port", null));
        assertEquals("localhost", file.getString("jobmanager.rpc.address", null));
    }

    @Test
    void configuredPortsAndDirectoriesStay() {
        Map<String, String> properties = new HashMap<>();
        properties.put("rest.bind-port", "50100-50200");
        properties.put("io.tmp.dirs", "/mine");
        properties.put("yarn.application-master.port", "6000-6010");
        Configuration effective =
                Startup.effective(new Configuration(), properties, environment("LOCAL_DIRS", "/l"), "1.20.1");
        assertEquals("50100-50200", effective.getString("rest.bind-port", null));
        assertEquals("/mine", effective.getString("io.tmp.dirs", null));
        assertEquals("6000-6010", Startup.rpcPortRange(effective));
        assertEquals("0", Startup.rpcPortRange(new Configuration()));

        Configuration rest =
                Startup.effective(
                        new Configuration(), Collections.singletonMap("rest.port", "8089"), environment(), "1.20.1");
        assertEquals("8089", rest.get(RestOptions.BIND_PORT));
    }

    @Test
    void temporaryFilesEndWithTheJvm() {
        Map<String, String> environment = environment("LOCAL_DIRS", "/l", "HEDDLE_TMP_DIRS", "/l/c/0");
        assertEquals("/l/c/0", tmpDirs(Collections.emptyMap(), environment));
        assertEquals("/l", tmpDirs(Collections.emptyMap(), environment("LOCAL_DIRS", "/l")));
        assertEquals("/mine", tmpDirs(Collections.singletonMap("io.tmp.dirs", "/mine"), environment));
        // Its working directory is looked for again.
        assertEquals("/l", tmpDirs(Collections.singletonMap("jobmanager.resource-id", "me"), environment));
    }

    private static String tmpDirs(Map<String, String> properties, Map<String, String> environment) {
        return Startup.effective(new Configuration(), properties, environment, "1.20.1").getString("io.tmp.dirs", null);
    }

    @Test
    void aMissingHostIsNamed() {
        String error =
                assertThrows(
                                IllegalStateException.class,
                                () ->
                                        Startup.effective(
                                                new Configuration(),
                                                Collections.emptyMap(),
                                                Collections.emptyMap(),
                                                "1.20.1"))
                        .getMessage();
        assertTrue(error.contains("NM_HOST"));
    }

    @Test
    void programsArgumentsAreData() throws IOException {
        ApplicationConfiguration program =
                ApplicationEntrypoint.application("{\"mainClass\":\"a.B\",\"args\":[\"x;y\",\"\",\"é\\n'\\\"$\"]}");
        assertEquals("a.B", program.getApplicationClassName());
        assertArrayEquals(new String[] {"x;y", "", "é\n'\"$"}, program.getProgramArguments());
        assertNull(ApplicationEntrypoint.application("{\"mainClass\":null}").getApplicationClassName());
    }
}
