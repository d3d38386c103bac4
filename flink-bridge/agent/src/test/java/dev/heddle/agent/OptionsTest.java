package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OptionsTest {
    @AfterEach
    void clear() {
        for (String name : new String[] {"heddle", "disabled", "modes"}) {
            System.clearProperty(Options.PROPERTIES + name);
        }
    }

    @Test
    void withoutArgumentsEveryModeGoesThroughHeddle() {
        for (String arguments : new String[] {null, "", ","}) {
            Options options = Options.parse(arguments);
            assertNull(options.heddle);
            assertFalse(options.disabled);
            assertEquals(EnumSet.allOf(Mode.class), options.modes);
            assertTrue(options.complaints.isEmpty());
        }
    }

    @Test
    void argumentsInAnyOrder() {
        Options options = Options.parse("modes=session,per-job, heddle=/opt/a=b/heddle,disabled");
        assertEquals(EnumSet.of(Mode.SESSION, Mode.PER_JOB), options.modes);
        assertEquals("/opt/a=b/heddle", options.heddle);
        assertTrue(options.disabled);
        assertTrue(options.complaints.isEmpty());
    }

    @Test
    void whatIsNotUnderstoodIsSaid() {
        Options options = Options.parse("session,modes=sessions,off");
        assertEquals(3, options.complaints.size());
        assertTrue(options.complaints.get(1).contains("`sessions` is no mode"));
        // Nothing is taken for every mode that was meant to be one.
        assertTrue(options.modes.isEmpty());
    }

    @Test
    void propertiesWin() {
        Options told = Options.parse("heddle=/a,modes=session");
        assertEquals("/a", told.withProperties().heddle);
        System.setProperty(Options.PROPERTIES + "heddle", "/b");
        System.setProperty(Options.PROPERTIES + "modes", "application, x");
        System.setProperty(Options.PROPERTIES + "disabled", "");
        Options now = told.withProperties();
        assertEquals("/b", now.heddle);
        assertEquals(EnumSet.of(Mode.APPLICATION), now.modes);
        assertTrue(now.disabled);
        assertEquals(1, now.complaints.size());
        System.setProperty(Options.PROPERTIES + "disabled", "false");
        assertFalse(Options.parse("disabled").withProperties().disabled);
    }

    @Test
    void modesAreToldByTheEntryPoint() throws Left {
        for (Mode mode : Mode.values()) {
            assertEquals(mode, Mode.of(mode.entrypoint, mode == Mode.PER_JOB));
            assertThrows(Left.class, () -> Mode.of(mode.entrypoint, mode != Mode.PER_JOB));
        }
        String message = assertThrows(Left.class, () -> Mode.of("a.B", false)).getMessage();
        assertTrue(message.contains("a.B"));
    }

    @Test
    void theProgramIsBesideTheAgentOrOnThePath(@TempDir Path directory) throws IOException, Left {
        File home = directory.toFile();
        File jar = new File(home, "lib/heddle-agent.jar");
        assertThrows(Left.class, () -> Program.find(null, jar, Collections.emptyMap()));
        File onPath = TestFiles.program(new File(home, "other/heddle"), "true");
        String path = "::relative:" + onPath.getParent();
        assertEquals(onPath, Program.find(null, jar, Collections.singletonMap("PATH", path)));
        File beside = TestFiles.program(new File(home, "bin/heddle"), "true");
        assertEquals(beside, Program.find(null, jar, Collections.singletonMap("PATH", path)));
        assertEquals(onPath, Program.find(onPath.getPath(), jar, Collections.emptyMap()));
        String message =
                assertThrows(Left.class, () -> Program.find(home.getPath(), jar, Collections.emptyMap())).getMessage();
        assertTrue(message.contains(home.getPath()));
    }
}
