package dev.heddle.bridge;

import org.apache.flink.client.deployment.application.ClassPathPackagedProgramRetriever;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.clusterframework.ApplicationStatus;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.resourcemanager.active.AbstractResourceManagerDriver;
import org.apache.flink.runtime.resourcemanager.active.ResourceManagerDriver;
import org.apache.flink.util.FlinkException;

import java.io.File;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;

/** The parts of Flink's interface that are different in Flink 1.13. */
final class Flink113 implements FlinkApi {
    @Override
    public ResourceManagerDriver<HeddleWorker> driver(
            Configuration effective, Configuration file, Workers workers) {
        return new Driver(effective, file, workers);
    }

    @Override
    public PackagedProgram program(
            File usrlib, File jar, String mainClass, String[] args, Configuration configuration)
            throws FlinkException, IOException {
        return ClassPathPackagedProgramRetriever.newBuilder(args, configuration)
                .setUserLibDirectory(usrlib)
                .setJarFile(jar)
                .setJobClassName(mainClass)
                .build()
                .getPackagedProgram();
    }

    /**
     * Connects {@link Workers} with the ResourceManager of Flink 1.13. There the driver is made before the
     * ResourceManager is the leader, and until then everything that is given to its main thread is dropped.
     * So the workers are started only when leadership is granted, because nothing may arrive from heddle-am
     * before.
     */
    private static final class Driver extends AbstractResourceManagerDriver<HeddleWorker> {
        private final Workers workers;

        Driver(Configuration effective, Configuration file, Workers workers) {
            super(effective, file);
            this.workers = workers;
        }

        @Override
        protected void initializeInternal() {}

        @Override
        public CompletableFuture<Void> onGrantLeadership() {
            workers.start(getResourceEventHandler(), getMainThreadExecutor());
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<Void> onRevokeLeadership() {
            workers.onLeadershipLost();
            return CompletableFuture.completedFuture(null);
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
        public CompletableFuture<Void> terminate() {
            workers.end();
            return CompletableFuture.completedFuture(null);
        }
    }
}
