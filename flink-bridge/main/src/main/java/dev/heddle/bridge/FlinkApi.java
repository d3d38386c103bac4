package dev.heddle.bridge;

import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.resourcemanager.active.ResourceManagerDriver;
import org.apache.flink.util.FlinkException;

import java.io.File;
import java.io.IOException;

/**
 * What releases of Flink have under different names or signatures. The class of the entrypoint decides which
 * implementation is used.
 */
interface FlinkApi {
    /**
     * Makes the driver, through which Flink's ResourceManager calls {@code workers}.
     *
     * @param effective the JobManager's configuration
     * @param file the configuration as the file in every container has it
     */
    ResourceManagerDriver<HeddleWorker> driver(Configuration effective, Configuration file, Workers workers);

    /**
     * Makes the program of an application.
     *
     * @param usrlib the directory that user classes are loaded from; null if they are on the JVM's class path
     * @param jar the jar with the program; null if it is on the class path, or if the program is written in
     * Python
     * @param mainClass the main class; null if the manifest of the jar names it
     */
    PackagedProgram program(File usrlib, File jar, String mainClass, String[] args, Configuration configuration)
            throws FlinkException, IOException;
}
