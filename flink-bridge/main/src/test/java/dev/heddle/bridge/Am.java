package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** heddle-am's side of the pipes, which have names here. */
final class Am implements Closeable {
    final AmLink link;
    private final OutputStream says;
    private final BufferedReader hears;

    /** Pipes in this directory, which a link has opened; its hello is read. */
    Am(Path directory) throws Exception {
        Map<String, String> environment = pipes(directory);
        // Each side waits until the other one has opened a pipe.
        CompletableFuture<AmLink> opened =
                CompletableFuture.supplyAsync(
                        () -> {
                            try {
                                return AmLink.open(environment, "1.20.1", 1);
                            } catch (IOException e) {
                                throw new IllegalStateException(e);
                            }
                        });
        says = new FileOutputStream(environment.get(AmLink.INPUT_VARIABLE));
        hears =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(environment.get(AmLink.OUTPUT_VARIABLE)), StandardCharsets.UTF_8));
        link = opened.get();
        assertEquals(BridgeMessages.hello("1.20.1", 1), hear());
    }

    /** The variables with the names of two new pipes. */
    static Map<String, String> pipes(Path directory) throws Exception {
        Map<String, String> environment = new HashMap<>();
        environment.put(AmLink.INPUT_VARIABLE, directory.resolve("in").toString());
        environment.put(AmLink.OUTPUT_VARIABLE, directory.resolve("out").toString());
        for (String name : environment.values()) {
            assertEquals(0, new ProcessBuilder("mkfifo", name).inheritIO().start().waitFor());
        }
        return environment;
    }

    void say(String text) throws IOException {
        says.write(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A line, or null at the end. */
    String hear() throws IOException {
        return hears.readLine();
    }

    /** Takes nothing more, and may still speak. */
    void stopHearing() throws IOException {
        hears.close();
    }

    @Override
    public void close() throws IOException {
        says.close();
        hears.close();
    }
}
