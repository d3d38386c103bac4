package dev.heddle.bridge;

import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.runtime.entrypoint.ClusterEntrypoint;
import org.apache.flink.runtime.executiongraph.ErrorInfo;
import org.apache.flink.runtime.messages.webmonitor.JobDetails;
import org.apache.flink.runtime.scheduler.ExecutionGraphInfo;
import org.apache.flink.util.ExceptionUtils;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Tells heddle-am why the application has failed. This is necessary because Flink's own deregistration has
 * only a status, and because a {@code main()} that throws ends the process.
 *
 * <p>The failed jobs of an application are read from Flink's store of ended jobs when the application
 * deregisters. At that moment no job is missing, and nothing has to be polled. The store is a private field,
 * whose type is another one from Flink 2.3 on, so it is read by reflection. If that fails, only the details
 * are missing.
 */
final class Failures {
    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
    /**
     * The number of characters that are kept of each end of a long stack trace. The beginning has the
     * outermost exception, and the end has the root cause.
     */
    private static final int TRACE_END = 32 * 1024;

    private final AmLink link;
    /**
     * The cluster whose failed jobs are a failure of the application; null for a cluster that only takes
     * jobs.
     */
    private volatile ClusterEntrypoint application;

    Failures(AmLink link) {
        this.link = link;
    }

    /**
     * Declares that the jobs of this cluster are the application, so that their failures are reported as its
     * own.
     */
    void watch(ClusterEntrypoint cluster) {
        application = cluster;
    }

    /**
     * Reports a failure to heddle-am.
     *
     * @param what what has failed: the beginning of a sentence that ends with "failed"
     */
    void report(String what, Throwable cause) {
        report(what, ExceptionUtils.stringifyException(cause));
    }

    /**
     * Reports the failed jobs of the application or, if no job has failed, what its {@code main()} has
     * thrown.
     */
    void reportEnded() {
        ClusterEntrypoint cluster = application;
        if (cluster == null) {
            return;
        }
        try {
            Object jobs = field(cluster, "executionGraphInfoStore");
            if (jobs != null) {
                reportJobs(jobs, "getAvailableJobDetails", "get");
                return;
            }
            Object applications = field(cluster, "archivedApplicationStore");
            if (applications != null && !reportJobs(applications, "getJobDetails", "getExecutionGraphInfo")) {
                reportMain(applications);
            }
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn("Cannot tell why the application's jobs failed.", e);
        }
    }

    private boolean reportJobs(Object store, String list, String get) throws ReflectiveOperationException {
        List<JobDetails> failed = new ArrayList<>();
        for (Object job : (Collection<?>) store.getClass().getMethod(list).invoke(store)) {
            if (((JobDetails) job).getStatus() == JobStatus.FAILED) {
                failed.add((JobDetails) job);
            }
        }
        failed.sort(Comparator.comparingLong(JobDetails::getEndTime));
        for (JobDetails job : failed) {
            Object found = present(store.getClass().getMethod(get, JobID.class).invoke(store, job.getJobId()));
            ErrorInfo error =
                    found == null ? null : ((ExecutionGraphInfo) found).getArchivedExecutionGraph().getFailureInfo();
            report(
                    "Job \"" + job.getJobName() + "\" (" + job.getJobId() + ")",
                    error == null ? "" : error.getExceptionAsString());
        }
        return !failed.isEmpty();
    }

    /**
     * Reports what {@code main()} has thrown. From Flink 2.3 on, that does not end the process; the
     * application deregisters, as after a failed job.
     */
    private void reportMain(Object store) throws ReflectiveOperationException {
        for (Object details : (Collection<?>) store.getClass().getMethod("getApplicationDetails").invoke(store)) {
            Object id = details.getClass().getMethod("getApplicationId").invoke(details);
            String name = (String) details.getClass().getMethod("getApplicationName").invoke(details);
            Object found = present(store.getClass().getMethod("get", id.getClass()).invoke(store, id));
            if (found != null) {
                for (Object error : (Collection<?>) found.getClass().getMethod("getExceptionHistory").invoke(found)) {
                    report("main() of " + name, ((ErrorInfo) error).getExceptionAsString());
                }
            }
        }
    }

    private void report(String what, String trace) {
        link.send(BridgeMessages.failure(what, shortened(trace)));
    }

    static String shortened(String trace) {
        int length = trace.length();
        return length <= 2 * TRACE_END
                ? trace
                : trace.substring(0, TRACE_END) + "\n\t...\n\t" + trace.substring(length - TRACE_END);
    }

    private static Object present(Object found) {
        return found instanceof Optional ? ((Optional<?>) found).orElse(null) : found;
    }

    /** The value of a private field; null if this release of Flink has no such field. */
    private static Object field(ClusterEntrypoint cluster, String name) throws IllegalAccessException {
        try {
            Field field = ClusterEntrypoint.class.getDeclaredField(name);
            field.setAccessible(true);
            return field.get(cluster);
        } catch (NoSuchFieldException e) {
            return null;
        }
    }
}
