package dev.heddle.agent;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Collections;

/** Files for tests. */
final class TestFiles {
    private TestFiles() {}

    /** Writes an empty file. */
    static File empty(File file) throws IOException {
        Files.createDirectories(file.toPath().getParent());
        Files.write(file.toPath(), new byte[0]);
        return file;
    }

    /** Writes a script of the shell that can be run. */
    static File program(File file, String... lines) throws IOException {
        Files.createDirectories(file.toPath().getParent());
        Files.write(file.toPath(), Collections.singleton("#!/bin/sh\n" + String.join("\n", lines)), StandardCharsets.UTF_8);
        if (!file.setExecutable(true)) {
            throw new IOException(file + " cannot be made executable");
        }
        return file;
    }
}
