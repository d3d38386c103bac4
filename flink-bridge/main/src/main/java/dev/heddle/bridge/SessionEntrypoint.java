package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.entrypoint.ClusterEntrypoint;
import org.apache.flink.runtime.entrypoint.ClusterEntrypointException;
import org.apache.flink.runtime.entrypoint.SessionClusterEntrypoint;
import org.apache.flink.runtime.entrypoint.component.DefaultDispatcherResourceManagerComponentFactory;
import org.apache.flink.runtime.entrypoint.component.DispatcherResourceManagerComponentFactory;

/** The JobManager of a session: it takes jobs until it is told to end. */
public final class SessionEntrypoint extends SessionClusterEntrypoint {
    private final Startup startup;

    private SessionEntrypoint(Startup startup) {
        super(startup.effective);
        this.startup = startup;
    }

    @Override
    protected String getRPCPortRange(Configuration configuration) {
        return Startup.rpcPortRange(configuration);
    }

    @Override
    protected DispatcherResourceManagerComponentFactory createDispatcherResourceManagerComponentFactory(
            Configuration configuration) {
        return DefaultDispatcherResourceManagerComponentFactory.createSessionComponentFactory(
                startup.resourceManagerFactory());
    }

    @Override
    public void startCluster() throws ClusterEntrypointException {
        try {
            super.startCluster();
        } catch (ClusterEntrypointException | RuntimeException e) {
            startup.failures.report(Startup.START, e);
            throw e;
        }
    }

    @Override
    public void onFatalError(Throwable exception) {
        startup.failures.report(Startup.JOB_MANAGER, exception);
        super.onFatalError(exception);
    }

    /** Arguments: see {@link Arguments}. */
    public static void main(String[] args) {
        run(new Flink114(), args);
    }

    static void run(FlinkApi api, String[] args) {
        Startup startup = Startup.orExit(LOG, api, SessionEntrypoint.class, args);
        SessionEntrypoint entrypoint = new SessionEntrypoint(startup);
        ZooKeeperSession.report(entrypoint, startup.effective, startup.link);
        ClusterEntrypoint.runClusterEntrypoint(entrypoint);
    }
}
