package dev.heddle.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;

class HelperTest {
    @Test
    void failuresBecomeTheExceptionsThatProgramsCatch() {
        IOException missing = Helper.failure(1, "{\"kind\":\"not-found\",\"error\":\"cannot look at /a: gone\"}");
        assertEquals(FileNotFoundException.class, missing.getClass());
        assertEquals("cannot look at /a: gone", missing.getMessage());
        IOException there = Helper.failure(1, "{\"kind\":\"exists\",\"error\":\"e\"}");
        assertEquals(FileAlreadyExistsException.class, there.getClass());
        assertEquals(IOException.class, Helper.failure(1, "a warning\n{\"kind\":\"other\",\"error\":\"e\"}").getClass());
    }

    @Test
    void whatTheHelperDidNotSayAsJsonIsShown() {
        assertTrue(Helper.failure(134, "panicked at x").getMessage().endsWith("exit code 134: panicked at x"));
        assertTrue(Helper.failure(137, "").getMessage().endsWith("exit code 137"));
        assertTrue(Helper.failure(1, "[1]").getMessage().endsWith("exit code 1: [1]"));
    }
}
