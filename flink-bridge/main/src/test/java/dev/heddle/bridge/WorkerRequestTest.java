package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

class WorkerRequestTest {
    @Test
    void sizesAndJvmOptionsAreFlinks() {
        WorkerRequest request = WorkerRequest.of(spec(base()), base(), base());
        assertEquals(1728, request.memoryMb);
        assertEquals(2, request.vcores);
        assertEquals(
                Arrays.asList("-Xmx", "-Xms", "-XX:MaxDirectMemorySize", "-XX:MaxMetaspaceSize"),
                request.jvmArgs.stream().map(a -> a.replaceAll("=?[0-9]+$", "")).collect(Collectors.toList()));
        assertEquals(Arrays.asList("--configDir", "."), request.args.subList(0, 2));
        assertTrue(request.args.contains("taskmanager.numberOfTaskSlots=2"));
        assertTrue(request.args.contains("external-resources=none"));
    }

    @Test
    void onlyWhatDiffersFromTheFileIsPassed() {
        Configuration effective = base();
        effective.setString("same.key", "same");
        effective.setString("jobmanager.rpc.address", "am.host");
        effective.setString("quoted", "it's \"a b\"=$X\nnext é");
        Configuration file = base();
        file.setString("same.key", "same");
        file.setString("jobmanager.rpc.address", "localhost");
        file.setString("only.in.file", "x");

        List<String> args = WorkerRequest.of(spec(base()), file, effective).args;
        assertTrue(args.contains("jobmanager.rpc.address=am.host"));
        assertTrue(args.contains("quoted=it's \"a b\"=$X\nnext é"));
        assertFalse(args.contains("same.key=same"));
        assertFalse(args.contains("only.in.file=x"));
        assertFalse(args.contains("taskmanager.memory.process.size=1728m"));
    }

    @Test
    void theWorkersOwnSizeBeatsTheConfiguration() {
        Configuration effective = base();
        effective.set(TaskManagerOptions.NUM_TASK_SLOTS, 9);
        List<String> args = WorkerRequest.of(spec(base()), base(), effective).args;
        assertTrue(args.contains("taskmanager.numberOfTaskSlots=2"));
        assertFalse(args.contains("taskmanager.numberOfTaskSlots=9"));
    }

    @Test
    void temporaryDirectoriesOfThisContainerStayHere() {
        Configuration effective = Startup.effective(
                base(), Collections.emptyMap(), StartupTest.environment("LOCAL_DIRS", "/l/1"), "1.20.1");
        assertTrue(effective.keySet().contains("io.tmp.dirs"));
        String args = String.join(" ", WorkerRequest.of(spec(base()), base(), effective).args);
        assertFalse(args.contains("tmp"), args);
    }

    @Test
    void fractionsOfACoreAreRoundedUp() {
        Configuration configuration = base();
        configuration.set(TaskManagerOptions.CPU_CORES, 0.2);
        assertEquals(1, WorkerRequest.of(spec(configuration), base(), configuration).vcores);
        configuration.set(TaskManagerOptions.CPU_CORES, 2.1);
        assertEquals(3, WorkerRequest.of(spec(configuration), base(), configuration).vcores);
    }

    @Test
    void externalResourcesGetYarnsNames() {
        Configuration configuration = base();
        configuration.setString("external-resources", "gpu;fpga;unnamed");
        configuration.setString("external-resource.gpu.amount", "2");
        configuration.setString("external-resource.gpu.yarn.config-key", "yarn.io/gpu");
        configuration.setString("external-resource.fpga.amount", "1");
        configuration.setString("external-resource.fpga.yarn.config-key", "yarn.io/fpga");
        configuration.setString("external-resource.unnamed.amount", "5");
        WorkerRequest request = WorkerRequest.of(spec(configuration), configuration, configuration);
        assertEquals("{yarn.io/fpga=1, yarn.io/gpu=2}", request.resources.toString());
        String list =
                request.args.stream().filter(a -> a.startsWith("external-resources=")).findFirst().orElse("");
        assertEquals(
                Arrays.asList("fpga", "gpu", "unnamed"),
                Arrays.stream(list.substring(list.indexOf('=') + 1).split(";")).sorted().collect(Collectors.toList()));
    }

    @Test
    void vcoresPrecedence() {
        Configuration configuration = new Configuration();
        assertEquals(1, HeddleWorkerResourceSpecFactory.vcores(configuration));
        configuration.set(TaskManagerOptions.NUM_TASK_SLOTS, 3);
        assertEquals(3, HeddleWorkerResourceSpecFactory.vcores(configuration));
        configuration.setString("yarn.containers.vcores", "2");
        assertEquals(2, HeddleWorkerResourceSpecFactory.vcores(configuration));
        configuration.set(TaskManagerOptions.CPU_CORES, 4.01);
        assertEquals(5, HeddleWorkerResourceSpecFactory.vcores(configuration));
    }

    private static Configuration base() {
        Configuration configuration = new Configuration();
        configuration.set(TaskManagerOptions.TOTAL_PROCESS_MEMORY, MemorySize.ofMebiBytes(1728));
        configuration.set(TaskManagerOptions.NUM_TASK_SLOTS, 2);
        return configuration;
    }

    private static TaskExecutorProcessSpec spec(Configuration configuration) {
        return TaskExecutorProcessUtils.processSpecFromConfig(configuration);
    }
}
