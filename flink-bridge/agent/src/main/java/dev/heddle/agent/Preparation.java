package dev.heddle.agent;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes down what a descriptor is to deploy, for the program heddle. */
final class Preparation {
    private static final String APPLICATION = "org.apache.flink.client.deployment.application.ApplicationConfiguration";
    private static final String PIPELINE = "org.apache.flink.configuration.PipelineOptions";

    private final Descriptor descriptor;
    private final Mode mode;
    private final Map<String, String> settings;
    private final FlinkHome home;
    private final Owner owner;
    private final HostLog log;

    private Preparation(Descriptor descriptor, Mode mode, Owner owner, HostLog log) throws Exception {
        this.descriptor = descriptor;
        this.mode = mode;
        this.owner = owner;
        this.log = log;
        this.settings = descriptor.settings();
        this.home =
                FlinkHome.find(
                        descriptor.flinkDist(),
                        descriptor.loadedFrom(),
                        settings.get("$internal.deployment.config-dir"),
                        descriptor.shipFiles(),
                        System.getenv());
        // The second ones are the names that the keys had before.
        owner.check(
                settings.containsKey("security.kerberos.login.keytab") || settings.containsKey("security.keytab"),
                settings.getOrDefault("security.kerberos.login.principal", settings.get("security.principal")));
    }

    /**
     * Writes the files of a deployment, and makes the command that deploys by them.
     *
     * @param directory gets the files
     * @param graph the job of a per-job cluster, else null
     * @throws Left if heddle cannot deploy this
     */
    static ProcessBuilder prepare(
            Descriptor descriptor,
            Mode mode,
            Owner owner,
            File program,
            PrivateDirectory directory,
            Object specification,
            String name,
            Object graph,
            boolean detached,
            HostLog log)
            throws Exception {
        Preparation preparation = new Preparation(descriptor, mode, owner, log);
        Path conf = directory.directory("flink");
        Path hadoop = directory.directory("hadoop");
        String custom = descriptor.customName();
        Request request = new Request(mode, custom == null ? name : custom, detached);
        preparation.writeFlink(conf, request);
        preparation.writeHadoop(hadoop);
        preparation.describe(request, conf, hadoop, specification, graph);
        Path file = PrivateDirectory.write(directory.path.resolve("request.json"), request.text() + "\n");
        ProcessBuilder builder = new ProcessBuilder(program.getPath(), "deploy", "--request", file.toString());
        preparation.setVariables(builder.environment(), conf, hadoop);
        return builder;
    }

    private void writeFlink(Path conf, Request request) throws Exception {
        FlinkFile file = FlinkFile.of(settings, descriptor.configurationFile(), descriptor.readsBothFiles());
        PrivateDirectory.write(conf.resolve(file.name), file.text);
        request.configuration(file.notCarried);
        String logging = settings.get("$internal.yarn.log-config-file");
        if (logging != null) {
            File from = new File(logging);
            if (from.isFile()) {
                PrivateDirectory.write(conf.resolve(from.getName()), Files.readAllBytes(from.toPath()));
            } else {
                log.warn("The logging configuration " + logging + " is not there; heddle's own is used.");
            }
        }
    }

    private void writeHadoop(Path directory) throws Exception {
        Map<String, String> hadoop = descriptor.hadoopSettings();
        hadoop.entrySet()
                .removeIf(
                        entry -> {
                            boolean carried = HadoopFiles.carried(entry.getKey()) && HadoopFiles.carried(entry.getValue());
                            if (!carried) {
                                log.warn("Hadoop's setting " + entry.getKey() + " is left out: XML cannot hold its value.");
                            }
                            return !carried;
                        });
        for (Map.Entry<String, String> file : HadoopFiles.of(hadoop).entrySet()) {
            PrivateDirectory.write(directory.resolve(file.getKey()), file.getValue());
        }
    }

    private void describe(Request request, Path conf, Path hadoop, Object specification, Object graph) throws Exception {
        request.set("flinkHome", path(home.home))
                .set("flinkLibDir", path(home.lib))
                .set("flinkConfDir", conf.toString())
                .set("flinkDist", descriptor.flinkDist())
                .set("hadoopConfDir", hadoop.toString())
                .set("shipFiles", descriptor.shipFiles())
                .set("shipArchives", descriptor.shipArchives())
                .set("proxyUser", owner.proxyUser())
                .set("hadoopUser", owner.hadoopUser());
        if (specification != null) {
            request.sizes(
                    (Integer) Reflect.call(specification, "getMasterMemoryMB"),
                    (Integer) Reflect.call(specification, "getTaskManagerMemoryMB"),
                    (Integer) Reflect.call(specification, "getSlotsPerTaskManager"));
        }
        if (mode == Mode.APPLICATION) {
            List<String> jars = descriptor.list(PIPELINE, "JARS");
            request.program(
                    jars.isEmpty() ? null : plainUrl(jars.get(0)),
                    (String) descriptor.option(APPLICATION, "APPLICATION_MAIN_CLASS"),
                    descriptor.list(APPLICATION, "APPLICATION_ARGS"),
                    descriptor.list(PIPELINE, "CLASSPATHS"));
        }
        if (mode == Mode.PER_JOB) {
            List<String> jars = new ArrayList<>();
            for (Object jar : (List<?>) Reflect.call(graph, "getUserJars")) {
                jars.add(Descriptor.plain(jar));
                if (FlinkHome.local(jar.toString()) == null && withoutUserJars()) {
                    throw new Left(jar + ", a jar of the job, is not on this machine, and is not to be on the class path either"
                            + " (yarn.classpath.include-user-jar)");
                }
            }
            request.set("userJars", jars);
        }
    }

    /** Whether the jars of jobs stay off the class path of the cluster. The second key is the older name. */
    private boolean withoutUserJars() {
        String inclusion =
                settings.getOrDefault(
                        "yarn.classpath.include-user-jar", settings.get("yarn.per-job-cluster.include-user-jar"));
        return "DISABLED".equalsIgnoreCase(inclusion);
    }

    /** The variables say the same as the request, for the processes that heddle itself may start. */
    private void setVariables(Map<String, String> environment, Path conf, Path hadoop) {
        environment.put("FLINK_CONF_DIR", conf.toString());
        environment.put("HADOOP_CONF_DIR", hadoop.toString());
        environment.remove("YARN_CONF_DIR");
        if (home.home != null) {
            environment.put("FLINK_HOME", home.home.getPath());
        }
        if (home.lib != null) {
            environment.put("FLINK_LIB_DIR", home.lib.getPath());
        }
        if (owner.proxyUser() == null) {
            environment.remove("HADOOP_PROXY_USER");
        } else {
            environment.put("HADOOP_PROXY_USER", owner.proxyUser());
        }
        if (owner.hadoopUser() != null) {
            environment.put("HADOOP_USER_NAME", owner.hadoopUser());
        }
    }

    private static String path(File file) {
        return file == null ? null : file.getPath();
    }

    private static String plainUrl(String url) {
        File local = FlinkHome.localOfUrl(url);
        return local == null ? url : local.getPath();
    }
}
