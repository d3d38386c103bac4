package dev.heddle.bridge;

import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.resourcemanager.active.ResourceManagerDriver;
import org.apache.flink.util.FlinkException;

import java.io.File;
import java.io.IOException;

/** What the releases of Flink have under different names or signatures. The entrypoint's class decides which one is used. */
interface FlinkApi {
    /** What stands between Flink's ResourceManager and {@code workers}. */
    ResourceManagerDriver<HeddleWorker> driver(Configuration effective, Configuration file, Workers workers);

    /**
     * The program of an application.
     *
     * @param usrlib the directory that user classes are loaded from, null where they are on the JVM's class path
     * @param jar the jar with the program, null where it is on the class path or written in Python
     * @param mainClass null where the jar's manifest names it
     */
    PackagedProgram program(File usrlib, File jar, String mainClass, String[] args, Configuration configuration)
            throws FlinkException, IOException;
}
