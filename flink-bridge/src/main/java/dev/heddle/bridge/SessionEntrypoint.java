package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.entrypoint.ClusterEntrypoint;
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

    /** Arguments: see {@link Arguments}. */
    public static void main(String[] args) {
        Startup startup = Startup.orExit(LOG, SessionEntrypoint.class, args);
        ClusterEntrypoint.runClusterEntrypoint(new SessionEntrypoint(startup));
    }
}
