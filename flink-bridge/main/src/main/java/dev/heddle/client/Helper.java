package dev.heddle.client;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Runs operations on HDFS by {@code heddle client-fs OPERATION ARGUMENT...}. In that program, every step that
 * waits for the network has a deadline, so a process always ends.
 */
final class Helper {
    /** The system property with the path of the program {@code heddle}. */
    static final String PROPERTY = "heddle.client.fs.helper";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int BUFFER = 64 << 10;

    private final String program;

    Helper(String program) {
        this.program = program;
    }

    static Helper ofSystem() throws IOException {
        String program = System.getProperty(PROPERTY);
        if (program == null) {
            throw new IOException(
                    "flink-client-fs.jar is for the client that `heddle` starts: the system property "
                            + PROPERTY
                            + " is not set");
        }
        return new Helper(program);
    }

    /** Runs an operation to its end, and returns the JSON objects that it has printed. */
    List<JsonNode> call(String... words) throws IOException {
        Process process = start(words);
        try {
            List<JsonNode> objects = new ArrayList<>();
            byte[] output = readAll(process.getInputStream());
            check(process);
            for (String line : new String(output, StandardCharsets.UTF_8).split("\n")) {
                if (!line.isEmpty()) {
                    objects.add(JSON.readTree(line));
                }
            }
            return objects;
        } finally {
            process.destroy();
        }
    }

    /** Runs an operation that prints one object, and returns that. */
    JsonNode callForOne(String... words) throws IOException {
        List<JsonNode> objects = call(words);
        if (objects.size() != 1) {
            throw new IOException(
                    String.format("%s %s: %d answers instead of one", program, words[0], objects.size()));
        }
        return objects.get(0);
    }

    /** Starts an operation. The caller has to read its output, and then to call {@link #check}. */
    Process start(String... words) throws IOException {
        List<String> line = new ArrayList<>(Arrays.asList(program, "client-fs"));
        line.addAll(Arrays.asList(words));
        ProcessBuilder builder = new ProcessBuilder(line);
        // Without this variable there is no log on the error stream, which is only for the object that
        // describes a failure.
        builder.environment().remove("HEDDLE_LOG");
        // The input of the process stays open, and nothing is written to it. Its end tells the process that
        // this JVM has ended.
        return builder.start();
    }

    /**
     * Waits for the end of a process whose output has been read. Throws the failure that the process has
     * printed.
     */
    static void check(Process process) throws IOException {
        String told = new String(readAll(process.getErrorStream()), StandardCharsets.UTF_8).trim();
        int code;
        try {
            code = process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for HDFS", e);
        }
        if (code != 0) {
            throw failure(code, told);
        }
    }

    static IOException failure(int code, String told) {
        String last = told.substring(told.lastIndexOf('\n') + 1);
        JsonNode object;
        try {
            object = JSON.readTree(last);
        } catch (IOException e) {
            object = null;
        }
        if (object == null || !object.path("error").isTextual()) {
            return new IOException(
                    "the helper for HDFS failed with exit code " + code + (told.isEmpty() ? "" : ": " + told));
        }
        String text = object.path("error").asText();
        switch (object.path("kind").asText()) {
            case "not-found":
                return new FileNotFoundException(text);
            case "exists":
                return new FileAlreadyExistsException(text);
            default:
                return new IOException(text);
        }
    }

    private static byte[] readAll(InputStream stream) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[BUFFER];
        for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
            bytes.write(buffer, 0, n);
        }
        return bytes.toByteArray();
    }
}
