package dev.heddle.bridge;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;

/** Ends the process when heddle-am is gone or says so. Listens from the start until Flink's ResourceManager leads. */
final class ProcessEnd implements AmLink.Listener {
    /** Flink's exit code for a failure at run time. */
    private static final int EXIT_CODE = 2;
    /** How long an orderly end may take before the JVM is halted, ms. */
    private static final long PATIENCE_MS = 15_000;

    private static final Logger LOG = LoggerFactory.getLogger(ProcessEnd.class);

    @Override
    public void onMessage(AmMessage message) {
        if (message instanceof AmMessage.Fatal) {
            exit("heddle-am ends the application: " + ((AmMessage.Fatal) message).reason);
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
