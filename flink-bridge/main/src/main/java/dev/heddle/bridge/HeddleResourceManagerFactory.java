package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.resourcemanager.ResourceManagerRuntimeServicesConfiguration;
import org.apache.flink.runtime.resourcemanager.active.ActiveResourceManagerFactory;
import org.apache.flink.runtime.resourcemanager.active.ResourceManagerDriver;
import org.apache.flink.util.ConfigurationException;

/** Makes Flink's active ResourceManager, which gets its workers from {@link Workers}. */
final class HeddleResourceManagerFactory extends ActiveResourceManagerFactory<HeddleWorker> {
    private final FlinkApi api;
    private final AmLink link;
    private final Failures failures;
    private final Configuration file;

    /** @param file the configuration as the file in every container has it */
    HeddleResourceManagerFactory(FlinkApi api, AmLink link, Failures failures, Configuration file) {
        this.api = api;
        this.link = link;
        this.failures = failures;
        this.file = file;
    }

    @Override
    protected ResourceManagerDriver<HeddleWorker> createResourceManagerDriver(
            Configuration effective, String webInterfaceUrl, String rpcAddress) {
        Workers workers = new Workers(effective, file, link, failures, webInterfaceUrl, rpcAddress);
        return api.driver(effective, file, workers);
    }

    @Override
    protected ResourceManagerRuntimeServicesConfiguration createResourceManagerRuntimeServicesConfiguration(
            Configuration effective) throws ConfigurationException {
        return ResourceManagerRuntimeServicesConfiguration.fromConfiguration(
                effective, new HeddleWorkerResourceSpecFactory());
    }

    /**
     * Returns false, so that the process ends when leadership is lost: YARN allows each ApplicationMaster
     * only one registration.
     */
    @Override
    public boolean supportMultiLeaderSession() {
        return false;
    }
}
