package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RequestTest {
    @Test
    void everyKeyIsThere() throws IOException {
        Map<String, Object> read = Json.parseObject(new Request(Mode.PER_JOB, "n", true).text());
        assertEquals(
                new HashSet<>(
                        Arrays.asList(
                                "version", "mode", "name", "flinkHome", "flinkLibDir", "flinkConfDir", "flinkDist",
                                "hadoopConfDir", "shipFiles", "shipArchives", "clusterSpecification", "program", "jobGraph",
                                "userJars", "detached", "proxyUser", "hadoopUser")),
                read.keySet());
        assertEquals(1L, read.get("version"));
        assertEquals("per-job", read.get("mode"));
        assertEquals(true, read.get("detached"));
        assertNull(read.get("program"));
    }

    @Test
    void programAndSizes() throws IOException {
        Request request =
                new Request(Mode.APPLICATION, "n", false)
                        .set("shipFiles", Collections.singletonList("/a"))
                        .sizes(1024, 2048, 3)
                        .program("/j.jar", null, Arrays.asList("a;b", ""), Collections.emptyList())
                        .configuration(Collections.singletonMap("k", "a#b"));
        Map<String, Object> read = Json.parseObject(request.text());
        assertEquals(Arrays.asList("a;b", ""), ((Map<?, ?>) read.get("program")).get("args"));
        assertEquals(3L, ((Map<?, ?>) read.get("clusterSpecification")).get("slotsPerTaskManager"));
        assertEquals(Collections.singletonMap("k", "a#b"), read.get("configuration"));
        assertThrows(IllegalArgumentException.class, () -> request.set("shipfiles", null));
    }

    @Test
    void users() throws Left {
        Owner plain = new Owner("alice", null, "root", false, false);
        assertNull(plain.proxyUser());
        assertEquals("alice", plain.hadoopUser());
        plain.check(false, "other@R");

        Owner acted = new Owner("alice", "gateway", "gateway", false, false);
        assertEquals("alice", acted.proxyUser());
        assertEquals("gateway", acted.hadoopUser());
    }

    @Test
    void usersWithKerberos() throws Left {
        Owner acted = new Owner("alice", "gateway@R", "gateway@R", true, false);
        assertEquals("alice", acted.proxyUser());
        assertNull(acted.hadoopUser());
        acted.check(false, null);

        Owner keytab = new Owner("gateway@R", null, "gateway@R", true, true);
        keytab.check(true, "gateway@R");
        keytab.check(true, "gateway");
        assertTrue(assertThrows(Left.class, () -> keytab.check(true, "etl@R")).getMessage().contains("etl@R"));
        assertTrue(assertThrows(Left.class, () -> keytab.check(false, null)).getMessage().contains("keytab"));
        Owner inside = new Owner("bob@R", null, "gateway@R", true, false);
        assertTrue(assertThrows(Left.class, () -> inside.check(true, null)).getMessage().contains("bob@R"));
    }
}
