package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.resourcemanager.active.ResourceEventHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** The start of a JobManager whose predecessor may have left TaskManagers; heddle-am is played by the test. */
@Timeout(20)
class WorkersTest {
    @TempDir Path directory;
    private Am am;

    @BeforeEach
    void open() throws Exception {
        am = new Am(directory);
    }

    @AfterEach
    void close() throws IOException {
        am.close();
        am.link.close();
    }

    @Test
    void leadershipWaitsForTheWorkersOfBefore() throws Exception {
        Events flink = new Events();
        CompletableFuture<Void> started = start(flink, "5 min");
        assertTrue(am.hear().contains("\"ready\""));
        assertTrue(!started.isDone() && flink.recovered.isEmpty());
        am.say("{\"type\":\"previous\",\"workers\":[{\"worker\":\"c_1\",\"node\":\"h:1\",\"host\":\"h\"}]}\n");
        started.join();
        assertEquals(1, flink.recovered.size());
        assertEquals("c_1", flink.recovered.get(0).container());
    }

    @Test
    void nobodyWaitsLongerThanATaskManager() throws Exception {
        Events flink = new Events();
        start(flink, "100 ms").join();
        assertTrue(flink.recovered.isEmpty());

        Configuration configuration = new Configuration();
        assertEquals(Duration.ofMinutes(5), Workers.patience(configuration));
        configuration.setString("taskmanager.registration.timeout", "Inf");
        assertTrue(Workers.patience(configuration).compareTo(Duration.ofDays(1)) > 0);
    }

    @Test
    void whoLosesHeddleAmDoesNotLead() throws Exception {
        CompletableFuture<Void> started = start(new Events(), "5 min");
        assertTrue(am.hear().contains("\"ready\""));
        am.close();
        Throwable error = assertThrows(CompletionException.class, started::join).getCause();
        assertTrue(error.getMessage().contains("connection to heddle-am"), error.toString());
    }

    /** Starts the workers of a JobManager with high availability, in a main thread of its own. */
    private CompletableFuture<Void> start(Events flink, String registrationTimeout) {
        Configuration configuration = new Configuration();
        // The key of Flink 1.13, which later releases know as well.
        configuration.setString("high-availability", "zookeeper");
        configuration.setString("taskmanager.registration.timeout", registrationTimeout);
        Workers workers =
                new Workers(configuration, configuration, am.link, new Failures(am.link), "http://h:1", "akka.tcp://h:2");
        // The end of the connection would end this process otherwise.
        workers.end();
        am.link.start(workers);
        return CompletableFuture.runAsync(
                () -> workers.start(flink, Runnable::run), task -> new Thread(task, "main thread").start());
    }

    private static final class Events implements ResourceEventHandler<HeddleWorker> {
        final List<HeddleWorker> recovered = new ArrayList<>();

        @Override
        public void onPreviousAttemptWorkersRecovered(Collection<HeddleWorker> workers) {
            recovered.addAll(workers);
        }

        @Override
        public void onWorkerTerminated(ResourceID worker, String reason) {}

        @Override
        public void onError(Throwable error) {}
    }
}
