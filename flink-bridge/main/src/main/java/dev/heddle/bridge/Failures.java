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
 * Tells heddle-am why the application failed: Flink's own deregistration carries a status alone, and a {@code main()} that throws
 * ends the process.
 *
 * <p>The failed jobs of an application are read from Flink's store of ended jobs at the moment of the deregistration, where no job
 * can be missed and nothing has to be polled. The store is a private field, of one type up to 2.2 and of another one from 2.3 on,
 * hence the reflection; without it only the details are missing.
 */
final class Failures {
    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
    /** Of a long trace, so many characters of both ends: the outermost exception and the root cause. */
    private static final int TRACE_END = 32 * 1024;

    private final AmLink link;
    /** Null where the jobs' failures are not the application's. */
    private volatile ClusterEntrypoint application;

    Failures(AmLink link) {
        this.link = link;
    }

    /** The jobs of this cluster are the application: their failures are its own. */
    void watch(ClusterEntrypoint cluster) {
        application = cluster;
    }

    /** @param what the beginning of the sentence that goes on with "failed" */
    void report(String what, Throwable cause) {
        report(what, ExceptionUtils.stringifyException(cause));
    }

    /** Tells of the failed jobs of the application; of what its {@code main()} threw where no job has failed. */
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

    /** From 2.3 on an application that fails by itself ends like one with a failed job. */
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

    /** Null where this release has no such field. */
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
