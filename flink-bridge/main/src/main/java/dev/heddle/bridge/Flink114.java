package dev.heddle.bridge;

import org.apache.flink.client.program.DefaultPackagedProgramRetriever;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.resourcemanager.active.ResourceManagerDriver;
import org.apache.flink.util.FlinkException;

import java.io.File;

/** The parts of Flink's interface that are different in Flink 1.13, for Flink 1.14 to 2.3. */
final class Flink114 implements FlinkApi {
    @Override
    public ResourceManagerDriver<HeddleWorker> driver(
            Configuration effective, Configuration file, Workers workers) {
        return new HeddleResourceManagerDriver(effective, file, workers);
    }

    @Override
    public PackagedProgram program(
            File usrlib, File jar, String mainClass, String[] args, Configuration configuration)
            throws FlinkException {
        return DefaultPackagedProgramRetriever.create(usrlib, jar, mainClass, args, configuration)
                .getPackagedProgram();
    }
}
