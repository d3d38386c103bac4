import java.io.File;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.apache.flink.api.common.JobID;
import org.apache.flink.client.deployment.application.ApplicationConfiguration;
import org.apache.flink.client.program.ClusterClient;
import org.apache.flink.client.program.ClusterClientProvider;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.client.program.PackagedProgramUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.client.JobStatusMessage;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobmaster.JobResult;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.yarn.api.records.ApplicationId;

/** One deployment: what is done, and what is told of it. */
final class Deployment {
    /** How long a cluster may take until it knows its first job. */
    private static final long FIRST_JOB_MS = 120_000;

    private final Words words;
    private final Style style;
    private final String mode;
    private final Map<String, Object> told = new LinkedHashMap<>();

    Deployment(Words words, int number) {
        this.words = words;
        style = Style.of(words);
        mode = words.needed("mode");
        told.put("deployment", number);
    }

    /** Deploys, and does with the cluster what the options say; all that is to be told of it. */
    Map<String, Object> run() {
        long begin = System.nanoTime();
        try {
            Configuration configuration = configuration();
            switch (mode) {
                case "session":
                    session(configuration);
                    break;
                case "application":
                    application(configuration);
                    break;
                case "per-job":
                    perJob(configuration);
                    break;
                default:
                    throw new IllegalArgumentException(mode + " is no mode");
            }
        } catch (Throwable e) {
            told.put("errors", chain(e));
        }
        told.put("allSeconds", seconds(begin));
        return told;
    }

    private Configuration configuration() {
        Configuration configuration = GlobalConfiguration.loadConfiguration(words.needed("conf"));
        configuration.set(DeploymentOptions.TARGET, "yarn-" + mode);
        words.pairs("set").forEach(configuration::setString);
        style.configure(configuration);
        return configuration;
    }

    /** The descriptor is made for the user, and used by whoever has made it, as StreamPark does. */
    private Style.Made make(Configuration configuration) throws Exception {
        UserGroupInformation own = UserGroupInformation.getCurrentUser();
        String proxy = words.get("proxy-user");
        UserGroupInformation user = proxy == null ? own : UserGroupInformation.createProxyUser(proxy, own);
        Style.Made made = user.doAs((PrivilegedExceptionAction<Style.Made>) () -> style.make(configuration));
        told.put("descriptor", made.descriptor.getClass().getProtectionDomain().getCodeSource().getLocation().getPath());
        return made;
    }

    private void session(Configuration configuration) throws Exception {
        long begin = System.nanoTime();
        try (Style.Made made = make(configuration);
                ClusterClient<ApplicationId> client = made.descriptor.deploySessionCluster(made.specification).getClusterClient()) {
            deployed(client, begin);
            try {
                if (words.get("jar") != null) {
                    submit(configuration, client.getClusterId());
                }
            } finally {
                end(made, client);
            }
        }
    }

    /** By another descriptor, which finds the session by its id. */
    private void submit(Configuration configuration, ApplicationId application) throws Exception {
        Configuration named = new Configuration(configuration);
        named.setString("yarn.application.id", application.toString());
        try (Style.Made made = make(named);
                ClusterClient<ApplicationId> client = made.descriptor.retrieve(application).getClusterClient()) {
            JobID job = client.submitJob(job(configuration)).get();
            result(client, job);
        }
    }

    private void application(Configuration configuration) throws Exception {
        configuration.set(PipelineOptions.JARS, Collections.singletonList(new File(words.needed("jar")).toURI().toString()));
        String[] arguments = words.all("argument").toArray(new String[0]);
        ApplicationConfiguration program = new ApplicationConfiguration(arguments, words.needed("main"));
        long begin = System.nanoTime();
        try (Style.Made made = make(configuration);
                ClusterClient<ApplicationId> client =
                        made.descriptor.deployApplicationCluster(made.specification, program).getClusterClient()) {
            deployed(client, begin);
            if (words.is("list")) {
                list(client);
            }
            if (words.get("end") != null) {
                end(made, client);
            }
        }
    }

    private void perJob(Configuration configuration) throws Exception {
        boolean detached = words.is("detached");
        JobGraph job = job(configuration);
        long begin = System.nanoTime();
        try (Style.Made made = make(configuration)) {
            ClusterClientProvider<ApplicationId> provider = style.deploy(made, words.get("name", "per-job"), job, detached);
            try (ClusterClient<ApplicationId> client = provider.getClusterClient()) {
                deployed(client, begin);
                if (words.is("list")) {
                    list(client);
                }
                if (!detached) {
                    result(client, job.getJobID());
                }
                if (words.get("end") != null) {
                    end(made, client);
                }
            }
        }
    }

    private JobGraph job(Configuration configuration) throws Exception {
        PackagedProgram program =
                PackagedProgram.newBuilder()
                        .setJarFile(new File(words.needed("jar")))
                        .setEntryPointClassName(words.needed("main"))
                        .setArguments(words.all("argument").toArray(new String[0]))
                        .setConfiguration(configuration)
                        .build();
        try {
            return PackagedProgramUtils.createJobGraph(program, configuration, words.number("parallelism", 1), false);
        } finally {
            program.close();
        }
    }

    private void deployed(ClusterClient<ApplicationId> client, long begin) {
        told.put("seconds", seconds(begin));
        told.put("application", client.getClusterId().toString());
        told.put("webInterface", client.getWebInterfaceURL());
        if (words.is("tell")) {
            Deployer.tell(Collections.singletonMap("deployed", client.getClusterId().toString()));
        }
    }

    private void result(ClusterClient<ApplicationId> client, JobID job) throws Exception {
        if (words.is("tell")) {
            Deployer.tell(Collections.singletonMap("submitted", job.toString()));
        }
        JobResult result = client.requestJobResult(job).get();
        told.put("jobs", Collections.singletonMap(job.toString(), result.isSuccess() ? "FINISHED" : "FAILED"));
        if (result.getSerializedThrowable().isPresent()) {
            throw result.getSerializedThrowable().get();
        }
    }

    /** The jobs of the cluster, as soon as it has one. */
    private void list(ClusterClient<ApplicationId> client) throws Exception {
        long until = System.currentTimeMillis() + FIRST_JOB_MS;
        Collection<JobStatusMessage> found = client.listJobs().get();
        while (found.isEmpty() && System.currentTimeMillis() < until) {
            Thread.sleep(200);
            found = client.listJobs().get();
        }
        Map<String, Object> jobs = new LinkedHashMap<>();
        found.forEach(job -> jobs.put(job.getJobId().toString(), job.getJobState()));
        told.put("jobs", jobs);
    }

    private void end(Style.Made made, ClusterClient<ApplicationId> client) throws Exception {
        switch (words.get("end", "leave")) {
            case "shut-down":
                client.shutDownCluster();
                break;
            case "kill":
                made.descriptor.killCluster(client.getClusterId());
                break;
            default:
        }
    }

    /** The exception and its causes. */
    private static List<Object> chain(Throwable e) {
        List<Object> found = new ArrayList<>();
        for (Throwable cause = e; cause != null && found.size() < 20; cause = cause.getCause()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("class", cause.getClass().getName());
            one.put("message", cause.getMessage());
            found.add(one);
        }
        return found;
    }

    private static double seconds(long begin) {
        return (System.nanoTime() - begin) / 1e9;
    }
}
