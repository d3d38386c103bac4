package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.ApplicationStatus;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.jobmanager.HighAvailabilityMode;
import org.apache.flink.runtime.resourcemanager.active.ResourceEventHandler;
import org.apache.flink.runtime.resourcemanager.exceptions.ResourceManagerException;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Gives Flink's ResourceManager its workers through heddle-am. Each release has a driver class of its own in front of this,
 * because the signatures differ.
 *
 * <p>State belongs to the ResourceManager's main thread. Without high availability nothing waits there but the
 * deregistration, for a bounded time: registration with YARN may take minutes (its ResourceManager restarts), so its
 * answer is handled when it comes, and what Flink asks for in the meantime is sent then. With high availability the
 * thread waits at the start until the workers of earlier attempts are known.
 */
final class Workers implements AmLink.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(Workers.class);
    /** Below Flink's own limit for this call (10 s), after which the process would end as failed. */
    private static final long DEREGISTER_TIMEOUT_S = 8;

    /** A request whose container is not there yet. */
    private static final class Pending {
        final WorkerRequest request;
        final CompletableFuture<HeddleWorker> future = new CompletableFuture<>();

        Pending(WorkerRequest request) {
            this.request = request;
        }
    }

    private final Configuration effective;
    private final Configuration file;
    private final AmLink link;
    private final Failures failures;
    private final String webInterfaceUrl;
    private final String rpcAddress;
    private final HadoopTokens tokens;

    /** In the order of the requests. */
    private final Map<Long, Pending> pending = new LinkedHashMap<>();

    private ResourceEventHandler<HeddleWorker> handler;
    private Executor mainThread;
    private long lastId = 0;
    /** Whether the workers of earlier attempts are known; requests are sent from then on. */
    private boolean serving = false;

    /** Completed with the first message of this type, or cancelled where nobody waits for it any more. */
    private final CompletableFuture<AmMessage.Previous> previous = new CompletableFuture<>();

    private final CompletableFuture<Void> deregistered = new CompletableFuture<>();
    /** The application ends: losing the connection is no failure any more. */
    private volatile boolean ending = false;

    /** @param file the configuration as the file in every container has it */
    Workers(
            Configuration effective,
            Configuration file,
            AmLink link,
            Failures failures,
            String webInterfaceUrl,
            String rpcAddress) {
        this.effective = effective;
        this.file = file;
        this.link = link;
        this.failures = failures;
        this.webInterfaceUrl = webInterfaceUrl;
        this.rpcAddress = rpcAddress;
        this.tokens = new HadoopTokens(effective, link);
    }

    /** The ResourceManager leads, and runs what it is given in its main thread. */
    void start(ResourceEventHandler<HeddleWorker> flink, Executor flinkMainThread) {
        handler = flink;
        mainThread = flinkMainThread;
        link.setListener(this);
        boolean wait = HighAvailabilityMode.isHighAvailabilityModeActivated(effective);
        if (!wait) {
            previous.cancel(false);
        }
        if (tokens.arePossible()) {
            link.send(BridgeMessages.canObtainTokens());
        }
        link.send(BridgeMessages.ready(webInterfaceUrl, rpcAddress));
        if (wait) {
            awaitPrevious();
        }
    }

    /**
     * With high availability TaskManagers of an earlier JobManager may run. Flink publishes its leadership once {@link #start} has
     * returned; a TaskManager that registers before Flink has heard of it is rejected and ends. So this waits, also for a ResourceManager
     * of YARN that restarts. Jobs go on meanwhile: their JobMasters and TaskManagers need no ResourceManager for that.
     */
    private void awaitPrevious() {
        Duration patience = patience(effective);
        try {
            onPrevious(previous.get(patience.toMillis(), TimeUnit.MILLISECONDS));
        } catch (TimeoutException e) {
            if (previous.cancel(false)) {
                LOG.warn(
                        "heddle-am has not named the workers of earlier attempts within {}; those that register before it"
                                + " does are rejected.",
                        patience);
            } else {
                onPrevious(previous.join());
            }
        } catch (ExecutionException e) {
            // Without heddle-am this process ends. It must not lead before that, or it would reject workers which the next
            // JobManager is going to know.
            throw new IllegalStateException(
                    "The connection to heddle-am ended before the workers of earlier attempts were known.", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * How long the workers of earlier attempts are waited for: as long as a TaskManager itself waits for a ResourceManager. Each has begun
     * to wait before us, so none is left after that which could be rejected.
     */
    static Duration patience(Configuration configuration) {
        try {
            return configuration.get(TaskManagerOptions.REGISTRATION_TIMEOUT);
        } catch (IllegalArgumentException e) {
            // Flink's TaskManagers take what is no duration for "without end".
            return Duration.ofDays(365);
        }
    }

    CompletableFuture<HeddleWorker> request(TaskExecutorProcessSpec spec) {
        long id = ++lastId;
        Pending wanted = new Pending(WorkerRequest.of(spec, file, effective));
        wanted.future.whenComplete(
                (worker, error) -> {
                    // Only Flink can end a request that is still in the map.
                    if (pending.remove(id) != null && serving) {
                        link.send(BridgeMessages.cancel(id));
                    }
                });
        pending.put(id, wanted);
        LOG.info(
                "Request {}: a worker of {} MB and {} vcores for {}.",
                id,
                wanted.request.memoryMb,
                wanted.request.vcores,
                spec);
        if (serving) {
            submit(id, wanted);
        }
        return wanted.future;
    }

    void release(HeddleWorker worker) {
        LOG.info("Releasing worker {}.", worker);
        link.send(BridgeMessages.release(worker.container()));
    }

    void deregister(ApplicationStatus status, String diagnostics) {
        ending = true;
        String yarnStatus = yarnStatus(status);
        LOG.info("The application ends with the status {}.", yarnStatus);
        if (status != ApplicationStatus.SUCCEEDED) {
            failures.reportEnded();
        }
        link.send(BridgeMessages.deregister(yarnStatus, diagnostics));
        try {
            deregistered.get(DEREGISTER_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            LOG.error("heddle-am did not confirm the final status within {} s; ending anyway.", DEREGISTER_TIMEOUT_S);
        } catch (ExecutionException e) {
            LOG.error("The final status may not have reached YARN: {}", e.getCause().getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** The connection stays until the process is gone: its end tells heddle-am just that. */
    void end() {
        ending = true;
    }

    /** YARN takes one registration per ApplicationMaster: another ResourceManager cannot take over in this process. */
    void onLeadershipLost() {
        if (!ending) {
            fail(new ResourceManagerException("The ResourceManager is no longer the leader."));
        }
    }

    @Override
    public void onMessage(AmMessage message) {
        if (message instanceof AmMessage.Deregistered) {
            // The main thread waits for it.
            deregistered.complete(null);
        } else if (message instanceof AmMessage.Fatal) {
            BeforeLeading.haltSoon();
            fail(
                    new ResourceManagerException(
                            "heddle-am ends the application: " + ((AmMessage.Fatal) message).reason));
        } else if (message instanceof AmMessage.Previous && previous.complete((AmMessage.Previous) message)) {
            LOG.debug("The main thread waits for the workers of earlier attempts.");
        } else if (message instanceof AmMessage.ObtainTokens) {
            // Jobs have no part in it: not in the main thread.
            tokens.obtain(((AmMessage.ObtainTokens) message).fileSystems);
        } else if (!ending) {
            mainThread.execute(() -> handle(message));
        }
    }

    @Override
    public void onClosed(IOException cause) {
        deregistered.completeExceptionally(cause);
        previous.completeExceptionally(cause);
        if (!ending) {
            BeforeLeading.haltSoon();
            fail(new ResourceManagerException("The JobManager cannot go on without heddle-am.", cause));
        }
    }

    private void handle(AmMessage message) {
        try {
            if (message instanceof AmMessage.Registered) {
                LOG.info("YARN knows the application.");
            } else if (message instanceof AmMessage.Previous) {
                onPrevious((AmMessage.Previous) message);
            } else if (message instanceof AmMessage.Allocated) {
                onAllocated((AmMessage.Allocated) message);
            } else if (message instanceof AmMessage.Failed) {
                onFailed((AmMessage.Failed) message);
            } else if (message instanceof AmMessage.Terminated) {
                AmMessage.Terminated terminated = (AmMessage.Terminated) message;
                // Flink logs it only of workers that it still counts on; YARN's reason may come later.
                LOG.info("A worker has ended: {}", terminated.reason);
                handler.onWorkerTerminated(new ResourceID(terminated.worker), terminated.reason);
            } else {
                LOG.warn("Ignoring {} of heddle-am.", message);
            }
        } catch (RuntimeException e) {
            fail(e);
        }
    }

    private void onPrevious(AmMessage.Previous previous) {
        // Flink 1.16 and later ask for no worker before they hear this, also when there is none to recover. It may come
        // again, with workers that the ResourceManager heard of later from a node.
        handler.onPreviousAttemptWorkersRecovered(previous.workers);
        if (!serving) {
            serving = true;
            new LinkedHashMap<>(pending).forEach(this::submit);
        }
    }

    private void onAllocated(AmMessage.Allocated allocated) {
        Pending wanted = pending.remove(allocated.id);
        // First the future: Flink rejects a TaskManager that registers before its worker is known.
        if (wanted != null && wanted.future.complete(allocated.worker)) {
            LOG.info("Request {} is met by {} on {}.", allocated.id, allocated.worker, allocated.worker.host);
            link.send(BridgeMessages.launch(allocated.id, allocated.worker.container()));
        } else {
            // The cancellation and the container crossed on the way.
            LOG.info("Returning {}: request {} is no longer wanted.", allocated.worker, allocated.id);
            link.send(BridgeMessages.release(allocated.worker.container()));
        }
    }

    private void onFailed(AmMessage.Failed failed) {
        Pending wanted = pending.remove(failed.id);
        if (wanted != null) {
            wanted.future.completeExceptionally(new ResourceManagerException(failed.reason));
        }
    }

    private void submit(long id, Pending wanted) {
        if (!pending.containsKey(id)) {
            return; // cancelled while those before it were submitted
        }
        // What YARN can never give is refused by heddle-am, which tells it to the user, too.
        link.send(BridgeMessages.request(id, wanted.request));
    }

    private void fail(Throwable cause) {
        handler.onError(cause);
    }

    private static String yarnStatus(ApplicationStatus status) {
        switch (status) {
            case SUCCEEDED:
                return "SUCCEEDED";
            case FAILED:
                return "FAILED";
            case CANCELED:
                return "KILLED";
            default:
                return "UNDEFINED";
        }
    }
}
