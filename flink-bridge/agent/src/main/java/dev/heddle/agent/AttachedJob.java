package dev.heddle.agent;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;

/**
 * The job of a per-job cluster whose deployer waits for it. Flink's own cluster stays until somebody has
 * fetched the job's result, and for ever if nobody does. Here a thread fetches the result as soon as there is
 * one, keeps it for whoever asks later, and then lets the cluster end. The thread ends with the job.
 *
 * <p>As a function, it answers for the clients of the cluster: from the name of a method of theirs and the id
 * of a job it makes a future, or null if the cluster itself is to be asked.
 */
final class AttachedJob implements BiFunction<Object, Object, Object> {
    /** The method that waits for a job's result. */
    static final String RESULT = "requestJobResult";

    /** The method that asks for a job's state. */
    static final String STATUS = "getJobStatus";

    /**
     * How long a cluster may not be reached, in milliseconds: longer than its JobManager needs to start anew.
     */
    private static final long PATIENCE = TimeUnit.MINUTES.toMillis(15);

    private static final long PAUSE = TimeUnit.SECONDS.toMillis(5);

    /** How long heddle may need to end, in seconds, once the cluster knows that nothing more comes. */
    private static final long END_SECONDS = 60;

    private final Descriptor descriptor;
    private final Object applicationId;
    private final Object jobId;
    private final HeddleProcess process;
    private final HostLog log;
    private final CompletableFuture<Object> result = new CompletableFuture<>();

    private AttachedJob(Descriptor descriptor, Object applicationId, Object jobId, HeddleProcess process, HostLog log) {
        this.descriptor = descriptor;
        this.applicationId = applicationId;
        this.jobId = jobId;
        this.process = process;
        this.log = log;
    }

    /** Begins to wait for the result of a job that was submitted. */
    static AttachedJob start(Descriptor descriptor, Object applicationId, Object jobId, HeddleProcess process, HostLog log) {
        AttachedJob job = new AttachedJob(descriptor, applicationId, jobId, process, log);
        Thread thread = new Thread(job::run, "heddle-job-" + jobId);
        thread.setDaemon(true);
        // Flink's client looks for services by it.
        thread.setContextClassLoader(descriptor.loader);
        thread.start();
        return job;
    }

    @Override
    public Object apply(Object method, Object of) {
        if (!jobId.equals(of)) {
            return null;
        }
        if (method.equals(RESULT)) {
            // A copy, which the caller may cancel.
            return result.thenApply(found -> found);
        }
        boolean known = result.isDone() && !result.isCompletedExceptionally();
        Object status = known ? status(result.join()) : null;
        return status == null ? null : CompletableFuture.completedFuture(status);
    }

    private void run() {
        Object found = null;
        Throwable failure = null;
        try {
            found = fetch();
        } catch (Throwable e) {
            // Whatever it is, whoever waits has to learn of it.
            failure = e;
            log.warn("The result of job " + jobId + " of " + applicationId + " cannot be fetched: " + e);
        }
        // Before those who wait go on: they may do so in this thread.
        process.finish(0);
        if (failure == null) {
            result.complete(found);
        } else {
            result.completeExceptionally(failure);
        }
        try {
            process.awaitEnd(END_SECONDS);
        } catch (InterruptedException e) {
            // The JVM ends, and the process with it.
        }
    }

    /** Asks until there is an answer, or until the cluster has been silent for too long. */
    private Object fetch() throws Exception {
        long silentSince = 0;
        while (true) {
            long begun = System.nanoTime() / 1_000_000;
            try {
                return fetchOnce();
            } catch (ExecutionException e) {
                long now = System.nanoTime() / 1_000_000;
                // A call that lasted for so long had somebody at the other end.
                silentSince = silentSince == 0 || now - begun > PATIENCE / 2 ? now : silentSince;
                // Without heddle nobody expects the cluster to come back.
                if (!process.isAlive() || now - silentSince > PATIENCE) {
                    throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
                }
            }
            Thread.sleep(PAUSE);
        }
    }

    private Object fetchOnce() throws Exception {
        Object client = descriptor.client(applicationId);
        try {
            return ((Future<?>) Reflect.call(client, RESULT, jobId)).get();
        } finally {
            Reflect.call(client, "close");
        }
    }

    /** The final state of a job, of Flink's type; null if this release does not tell it in this way. */
    private Object status(Object jobResult) {
        try {
            try {
                // From 2.3 on.
                Object status = Reflect.call(jobResult, STATUS);
                return status instanceof Optional ? ((Optional<?>) status).orElse(null) : status;
            } catch (NoSuchMethodException e) {
                Object status = Reflect.call(jobResult, "getApplicationStatus");
                return Reflect.callStatic(Class.forName("org.apache.flink.api.common.JobStatus", true, descriptor.loader),
                        "valueOf", nameOf(String.valueOf(status)));
            }
        } catch (Exception e) {
            return null;
        }
    }

    private static String nameOf(String applicationStatus) {
        return applicationStatus.equals("SUCCEEDED") ? "FINISHED" : applicationStatus;
    }
}
