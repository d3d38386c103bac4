package dev.heddle.bridge;

import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.clusterframework.BootstrapTools;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.runtime.util.JvmShutdownSafeguard;
import org.apache.flink.runtime.util.SignalHandler;

import org.slf4j.Logger;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Set;

/** What every entrypoint does first: arguments, configuration, the connection to heddle-am. */
final class Startup {
    private static final String HOST_VARIABLE = "NM_HOST";
    private static final String LOCAL_DIRS_VARIABLE = "LOCAL_DIRS";
    /** Directories which heddle-am has made for the temporary files of this JVM, and removes when it has ended. */
    private static final String TMP_DIRS_VARIABLE = "HEDDLE_TMP_DIRS";

    private static final String RESOURCE_ID_KEY = "jobmanager.resource-id";
    private static final int EXIT_CODE = 1;

    /** What failed, in words, when the JobManager does not come up. */
    static final String START = "The start of the JobManager";
    /** What failed, in words, when it ends by itself later. */
    static final String JOB_MANAGER = "The JobManager";

    private static final ConfigOption<String> RPC_PORT_RANGE =
            ConfigOptions.key("yarn.application-master.port").stringType().defaultValue("0");

    final FlinkApi api;
    final Arguments arguments;
    /** As the file in every container has it. */
    final Configuration file;
    /** With the arguments and with what only this host knows. */
    final Configuration effective;

    final AmLink link;
    final Failures failures;

    private Startup(
            FlinkApi api,
            Arguments arguments,
            Configuration file,
            Configuration effective,
            AmLink link,
            Failures failures) {
        this.api = api;
        this.arguments = arguments;
        this.file = file;
        this.effective = effective;
        this.link = link;
        this.failures = failures;
    }

    /** Prepares the process, or ends it with exit code 1 and the reason in its log. */
    static Startup orExit(Logger log, FlinkApi api, Class<?> entrypoint, String[] args) {
        EnvironmentInformation.logEnvironmentInfo(log, entrypoint.getSimpleName(), args);
        SignalHandler.register(log);
        JvmShutdownSafeguard.installAsShutdownHook(log);
        Failures failures = null;
        try {
            Map<String, String> environment = System.getenv();
            Arguments arguments = Arguments.parse(args);
            String version = EnvironmentInformation.getVersion();
            AmLink link = AmLink.open(environment, version, pid());
            BeforeLeading beforeLeading = new BeforeLeading();
            link.start(beforeLeading);
            failures = new Failures(link);
            Configuration file = GlobalConfiguration.loadConfiguration(arguments.configDir);
            Configuration effective = effective(file, arguments.properties, environment, version);
            ZooKeeperSession previous = beforeLeading.awaitStart().previousSession;
            if (previous != null) {
                previous.end(effective);
            }
            return new Startup(api, arguments, file, effective, link, failures);
        } catch (IOException | RuntimeException e) {
            log.error("Could not start {}: {}", entrypoint.getSimpleName(), e.getMessage(), e);
            if (failures != null) {
                failures.report(START, e);
            }
            System.exit(EXIT_CODE);
            throw new IllegalStateException("unreachable", e);
        }
    }

    HeddleResourceManagerFactory resourceManagerFactory() {
        return new HeddleResourceManagerFactory(api, link, failures, file);
    }

    /** The ports that the JobManager's RPC may use: one, a range or a list. */
    static String rpcPortRange(Configuration configuration) {
        return configuration.get(RPC_PORT_RANGE);
    }

    /**
     * The configuration that the JobManager runs with: the dynamic properties win over the file; addresses and temporary
     * directories are those of this container.
     */
    static Configuration effective(
            Configuration file,
            Map<String, String> dynamicProperties,
            Map<String, String> environment,
            String flinkVersion) {
        String host = environment.get(HOST_VARIABLE);
        if (host == null || host.isEmpty()) {
            throw new IllegalStateException(
                    "the environment variable " + HOST_VARIABLE + " is not set; YARN sets it in every container");
        }
        Configuration configuration = new Configuration(file);
        dynamicProperties.forEach(configuration::setString);
        configuration.set(JobManagerOptions.ADDRESS, host);
        configuration.set(RestOptions.ADDRESS, host);
        if (flinkVersion.startsWith("1.") || !configuration.contains(RestOptions.BIND_ADDRESS)) {
            configuration.set(RestOptions.BIND_ADDRESS, host);
        }
        // Any free port, unless one is asked for. The names of older days (web.port) do not count on YARN.
        Set<String> keys = configuration.keySet();
        if (!keys.contains(RestOptions.BIND_PORT.key()) && !keys.contains(RestOptions.PORT.key())) {
            configuration.set(RestOptions.BIND_PORT, "0");
        }
        // By its id a JobManager finds the working directory of the one before it, which must still be there then.
        String tmpDirs = keys.contains(RESOURCE_ID_KEY) ? null : environment.get(TMP_DIRS_VARIABLE);
        BootstrapTools.updateTmpDirectoriesInConfiguration(
                configuration, tmpDirs != null ? tmpDirs : environment.get(LOCAL_DIRS_VARIABLE));
        return configuration;
    }

    private static long pid() throws IOException {
        // "pid@host" on every JVM that matters; ProcessHandle is not in Java 8.
        String name = ManagementFactory.getRuntimeMXBean().getName();
        try {
            return Long.parseLong(name.substring(0, Math.max(name.indexOf('@'), 0)));
        } catch (NumberFormatException e) {
            throw new IOException("cannot tell the process id from the JVM's name " + name, e);
        }
    }
}
