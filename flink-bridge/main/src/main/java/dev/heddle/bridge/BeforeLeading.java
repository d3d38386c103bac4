package dev.heddle.bridge;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Listens to heddle-am until Flink's ResourceManager leads: waits for the word to start, and ends the process when heddle-am is gone
 * or says so.
 */
final class BeforeLeading implements AmLink.Listener {
    /** Flink's exit code for a failure at run time. */
    private static final int EXIT_CODE = 2;
    /** How long an orderly end may take before the JVM is halted, ms. */
    private static final long PATIENCE_MS = 15_000;

    /** For heddle-am to answer hello, ms. It has nothing to do for it, but the machine may be busy. */
    private static final long START_TIMEOUT_MS = 60_000;

    private static final Logger LOG = LoggerFactory.getLogger(BeforeLeading.class);

    private final CompletableFuture<AmMessage.Start> start = new CompletableFuture<>();

    /** Waits for the answer to hello. */
    AmMessage.Start awaitStart() throws IOException {
        try {
            return start.get(START_TIMEOUT_MS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new IOException("heddle-am did not answer within " + START_TIMEOUT_MS + " ms", e);
        } catch (ExecutionException e) {
            throw new IOException(e.getCause().getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for heddle-am", e);
        }
    }

    @Override
    public void onMessage(AmMessage message) {
        if (message instanceof AmMessage.Fatal) {
            exit("heddle-am ends the application: " + ((AmMessage.Fatal) message).reason);
        } else if (message instanceof AmMessage.Start) {
            start.complete((AmMessage.Start) message);
        } else {
            LOG.warn("Ignoring {} of heddle-am: Flink's ResourceManager does not lead yet.", message);
        }
    }

    @Override
    public void onClosed(IOException cause) {
        exit(cause.getMessage());
    }

    /** Halts the JVM if it still runs in a while: shutdown hooks can hang on what is gone. */
    static void haltSoon() {
        Thread thread =
                new Thread(
                        () -> {
                            try {
                                Thread.sleep(PATIENCE_MS);
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                            Runtime.getRuntime().halt(EXIT_CODE);
                        },
                        "heddle-halt");
        thread.setDaemon(true);
        thread.start();
    }

    private static void exit(String reason) {
        LOG.error("Ending the JobManager: {}", reason);
        haltSoon();
        System.exit(EXIT_CODE);
    }
}
