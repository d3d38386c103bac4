package org.apache.flink.client.program.rest;

import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobGraph;

/** A stand-in with what the agent calls of it. */
public class RestClusterClient<T> {
    /** What each submission does; a failure if it is not null. */
    public static volatile Exception refusal;

    /** The result of the job, for all clients. */
    public static final CompletableFuture<Object> RESULT = new CompletableFuture<>();

    public final Configuration configuration;
    public final T clusterId;

    public RestClusterClient(Configuration configuration, T clusterId) throws Exception {
        this.configuration = configuration;
        this.clusterId = clusterId;
    }

    public CompletableFuture<JobID> submitJob(JobGraph graph) {
        CompletableFuture<JobID> done = new CompletableFuture<>();
        if (refusal == null) {
            configuration.set("submitted.jars", graph.getUserJars().toString());
            done.complete(graph.getJobID());
        } else {
            done.completeExceptionally(refusal);
        }
        return done;
    }

    public CompletableFuture<Object> requestJobResult(JobID job) {
        return RESULT.thenApply(result -> result);
    }

    public CompletableFuture<JobStatus> getJobStatus(JobID job) {
        CompletableFuture<JobStatus> gone = new CompletableFuture<>();
        gone.completeExceptionally(new IllegalStateException("the cluster has ended"));
        return gone;
    }

    public void close() {}
}
