package dev.heddle.bridge;

import org.apache.flink.client.deployment.application.ApplicationClusterEntryPoint;
import org.apache.flink.client.deployment.application.ApplicationConfiguration;
import org.apache.flink.client.deployment.application.ApplicationExecutionException;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.client.program.PackagedProgramUtils;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.entrypoint.ClusterEntrypoint;
import org.apache.flink.runtime.entrypoint.ClusterEntrypointException;
import org.apache.flink.runtime.entrypoint.ClusterEntrypointUtils;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.FlinkException;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.List;

/** The JobManager of one application: it runs the user's {@code main()} and ends with it. */
public final class ApplicationEntrypoint extends ApplicationClusterEntryPoint {
    private static final ConfigOption<String> USER_JAR_INCLUSION =
            ConfigOptions.key("yarn.classpath.include-user-jar")
                    .stringType()
                    .defaultValue("ORDER")
                    .withDeprecatedKeys("yarn.per-job-cluster.include-user-jar");
    private static final int EXIT_CODE = 1;

    private final Failures failures;
    private final String mainClass;

    private ApplicationEntrypoint(Startup startup, PackagedProgram program) {
        super(startup.effective, program, startup.resourceManagerFactory());
        failures = startup.failures;
        failures.watch(this);
        mainClass = program.getMainClassName();
    }

    @Override
    public void startCluster() throws ClusterEntrypointException {
        try {
            super.startCluster();
        } catch (ClusterEntrypointException | RuntimeException e) {
            failures.report(Startup.START, e);
            throw e;
        }
    }

    /** Up to 2.2 the way that a {@code main()} takes which throws. */
    @Override
    public void onFatalError(Throwable exception) {
        boolean byMain = ExceptionUtils.findThrowable(exception, ApplicationExecutionException.class).isPresent();
        failures.report(byMain ? "main() of " + mainClass : Startup.JOB_MANAGER, exception);
        super.onFatalError(exception);
    }

    @Override
    protected String getRPCPortRange(Configuration configuration) {
        return Startup.rpcPortRange(configuration);
    }

    /** Arguments: see {@link Arguments}. */
    public static void main(String[] args) {
        run(new Flink114(), args);
    }

    static void run(FlinkApi api, String[] args) {
        Startup startup = Startup.orExit(LOG, api, ApplicationEntrypoint.class, args);
        PackagedProgram program;
        try {
            program = program(api, startup.effective, application(startup));
            configureExecution(startup.effective, program);
        } catch (Exception e) {
            LOG.error("Could not prepare the application's program.", e);
            startup.failures.report("The preparation of the application's program", e);
            System.exit(EXIT_CODE);
            return;
        }
        ApplicationEntrypoint entrypoint = new ApplicationEntrypoint(startup, program);
        ZooKeeperSession.report(entrypoint, startup.effective, startup.link);
        ClusterEntrypoint.runClusterEntrypoint(entrypoint);
    }

    private static ApplicationConfiguration application(Startup startup) throws IOException {
        if (startup.arguments.program == null) {
            return ApplicationConfiguration.fromConfiguration(startup.effective);
        }
        byte[] text = Files.readAllBytes(Paths.get(startup.arguments.program));
        return application(new String(text, StandardCharsets.UTF_8));
    }

    /** Reads {@code {"mainClass": string or null, "args": [string...]}}. */
    static ApplicationConfiguration application(String json) throws IOException {
        ObjectNode program = Json.parseObject(json);
        JsonNode args = program.path("args");
        String[] programArgs = new String[args.size()];
        for (int i = 0; i < programArgs.length; i++) {
            programArgs[i] = args.get(i).asText();
        }
        JsonNode mainClass = program.path("mainClass");
        return new ApplicationConfiguration(programArgs, mainClass.isTextual() ? mainClass.textValue() : null);
    }

    private static PackagedProgram program(
            FlinkApi api, Configuration configuration, ApplicationConfiguration application)
            throws FlinkException, IOException {
        File usrlib = usrlib(configuration);
        String mainClass = application.getApplicationClassName();
        String[] args = application.getProgramArguments();
        boolean python = PackagedProgramUtils.isPython(mainClass) || PackagedProgramUtils.isPython(args);
        File jar = python ? null : userJar(usrlib, configuration);
        return api.program(usrlib, jar, mainClass, args, configuration);
    }

    /** The directory that user classes are loaded from, null where they are on the JVM's class path. */
    private static File usrlib(Configuration configuration) {
        if (!configuration.get(USER_JAR_INCLUSION).equalsIgnoreCase("DISABLED")) {
            return null;
        }
        return ClusterEntrypointUtils.tryFindUserLibDirectory()
                .orElseThrow(
                        () ->
                                new IllegalStateException(
                                        USER_JAR_INCLUSION.key()
                                                + " is DISABLED, but the container has no directory usrlib"));
    }

    /**
     * The one user jar, which lies in {@code usrlib} or in the working directory; null without one. Several jars
     * are libraries of a program that is in none of them, and are on the class path.
     */
    private static File userJar(File usrlib, Configuration configuration) {
        List<String> jars = configuration.getOptional(PipelineOptions.JARS).orElse(Collections.emptyList());
        return jars.size() == 1 ? new File(usrlib, new Path(jars.get(0)).getName()) : null;
    }
}
