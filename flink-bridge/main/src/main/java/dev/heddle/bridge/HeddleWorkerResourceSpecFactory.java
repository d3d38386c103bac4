package dev.heddle.bridge;

import org.apache.flink.api.common.resources.CPUResource;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.resourcemanager.WorkerResourceSpec;
import org.apache.flink.runtime.resourcemanager.WorkerResourceSpecFactory;

/**
 * Makes the default size of a worker. Its CPU is {@code taskmanager.cpu.cores}, else
 * {@code yarn.containers.vcores} if that is positive, else the number of slots. It is rounded up to a whole
 * number of at least 1, because YARN counts whole vcores.
 */
final class HeddleWorkerResourceSpecFactory extends WorkerResourceSpecFactory {
    private static final ConfigOption<Integer> VCORES =
            ConfigOptions.key("yarn.containers.vcores").intType().defaultValue(-1);

    @Override
    public WorkerResourceSpec createDefaultWorkerResourceSpec(Configuration configuration) {
        return workerResourceSpecFromConfigAndCpu(configuration, new CPUResource(vcores(configuration)));
    }

    static int vcores(Configuration configuration) {
        double cores =
                TaskExecutorProcessUtils.getCpuCoresWithFallback(configuration, configuration.get(VCORES))
                        .getValue()
                        .doubleValue();
        double rounded = Math.max(Math.ceil(cores), 1);
        if (rounded > Integer.MAX_VALUE) {
            throw new IllegalConfigurationException(
                    TaskManagerOptions.CPU_CORES.key() + " is " + cores + ", more than YARN can count");
        }
        return (int) rounded;
    }
}
