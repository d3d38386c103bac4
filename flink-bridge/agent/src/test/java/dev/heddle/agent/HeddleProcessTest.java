package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class HeddleProcessTest {
    @TempDir Path temporary;

    private final List<String> lines = new CopyOnWriteArrayList<>();
    private PrivateDirectory directory;

    private HeddleProcess start(String... script) throws IOException {
        File program = TestFiles.program(temporary.resolve("heddle").toFile(), script);
        directory = PrivateDirectory.make();
        HostLog log =
                new HostLog() {
                    @Override
                    void write(String level, String line) {
                        lines.add(level + " " + line);
                    }
                };
        return HeddleProcess.start(new ProcessBuilder(program.getPath()), directory, log);
    }

    private void awaitGone() throws InterruptedException {
        while (Files.exists(directory.path)) {
            Thread.sleep(10);
        }
    }

    @Test
    void answersAndGoesOn() throws Exception {
        String out = temporary.resolve("input").toString();
        HeddleProcess process =
                start("echo 'warning: w' >&2; echo >&2; echo 'error: e' >&2; echo i >&2", "echo '{\"a\": 1}'", "cat >'" + out + "'");
        assertEquals("{\"a\": 1}", process.awaitAnswer());
        assertTrue(process.isAlive());
        assertTrue(Files.exists(directory.path));
        process.finish(3);
        process.awaitEnd(30);
        awaitGone();
        assertFalse(process.isAlive());
        assertEquals("{\"exit\": 3}\n", new String(Files.readAllBytes(java.nio.file.Paths.get(out)), StandardCharsets.UTF_8));
        assertEquals("[warn w, error e, info i]", lines.toString());
        // It has ended: that is not an error.
        process.finish(0);
    }

    @Test
    void endsWithoutAnAnswer() throws Exception {
        HeddleProcess process = start("echo 'error: all over' >&2; exit 4");
        assertNull(process.awaitAnswer());
        awaitGone();
        assertEquals("heddle has ended with exit code 4 without an answer\nerror: all over", process.end());
    }

    @Test
    void isGivenUp() throws Exception {
        String undone = temporary.resolve("undone").toString();
        HeddleProcess process = start("trap 'echo >\"" + undone + "\"; exit 143' TERM", "echo ready >&2", "while :; do sleep 0.05; done");
        while (lines.isEmpty()) {
            Thread.sleep(10);
        }
        process.giveUp();
        assertFalse(process.isAlive());
        assertTrue(new File(undone).exists());
        awaitGone();
    }

    @Test
    void whoeverWaitsCanBeInterrupted() throws Exception {
        HeddleProcess process = start("exec sleep 60");
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, process::awaitAnswer);
        Thread.currentThread().interrupt();
        process.giveUp();
        assertTrue(Thread.interrupted());
        awaitGone();
        assertFalse(process.isAlive());
    }

    @Test
    void isKilledWhenItDoesNotEnd() throws Exception {
        HeddleProcess process = start("trap '' TERM; echo '{}'; while :; do sleep 0.05; done");
        assertEquals("{}", process.awaitAnswer());
        process.awaitEnd(0);
        awaitGone();
        assertFalse(process.isAlive());
        assertTrue(lines.get(0).startsWith("warn heddle did not end within 0 s"));
    }

    @Test
    void manyLeaveNothing() throws Exception {
        for (int i = 0; i < 50; i++) {
            HeddleProcess process = start("echo x >&2; echo '{}'; read line");
            assertEquals("{}", process.awaitAnswer());
            process.finish(0);
            process.awaitEnd(30);
            awaitGone();
        }
        assertEquals(50, lines.size());
        for (int i = 0; i < 500 && ours() > 0; i++) {
            Thread.sleep(10);
        }
        assertEquals(0, ours());
    }

    private static long ours() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().startsWith("heddle-")).count();
    }
}
