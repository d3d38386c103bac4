package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.clusterframework.ApplicationStatus;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.resourcemanager.active.AbstractResourceManagerDriver;

import java.util.concurrent.CompletableFuture;

/** Connects {@link Workers} with the ResourceManager of Flink 1.14 and later. */
final class HeddleResourceManagerDriver extends AbstractResourceManagerDriver<HeddleWorker> {
    private final Workers workers;

    HeddleResourceManagerDriver(Configuration effective, Configuration file, Workers workers) {
        super(effective, file);
        this.workers = workers;
    }

    @Override
    protected void initializeInternal() {
        workers.start(getResourceEventHandler(), getMainThreadExecutor());
    }

    @Override
    public CompletableFuture<HeddleWorker> requestResource(TaskExecutorProcessSpec spec) {
        return workers.request(spec);
    }

    @Override
    public void releaseResource(HeddleWorker worker) {
        workers.release(worker);
    }

    @Override
    public void deregisterApplication(ApplicationStatus status, String diagnostics) {
        workers.deregister(status, diagnostics);
    }

    @Override
    public void terminate() {
        workers.end();
    }
}
