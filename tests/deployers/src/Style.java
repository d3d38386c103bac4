import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

import org.apache.flink.client.deployment.ClusterSpecification;
import org.apache.flink.client.program.ClusterClientProvider;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.yarn.YarnClientYarnClusterInformationRetriever;
import org.apache.flink.yarn.YarnClusterClientFactory;
import org.apache.flink.yarn.YarnClusterDescriptor;
import org.apache.flink.yarn.configuration.YarnLogConfigUtil;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;

/**
 * How a tool comes to a descriptor of a cluster on YARN, and deploys the cluster of one job. The calls are those that the
 * tools make; what they have around them is left out.
 */
abstract class Style {
    static final String PROVIDED = "yarn.provided.lib.dirs";

    /** A descriptor, and what was made with it. */
    static final class Made implements AutoCloseable {
        final ClusterSpecification specification;
        final YarnClusterDescriptor descriptor;
        private final YarnClient own;

        /** {@code own} is the client of the tool's own that the descriptor uses, or null. */
        Made(ClusterSpecification specification, YarnClusterDescriptor descriptor, YarnClient own) {
            this.specification = specification;
            this.descriptor = descriptor;
            this.own = own;
        }

        @Override
        public void close() {
            descriptor.close();
            if (own != null) {
                own.stop();
            }
        }
    }

    static Style of(Words words) {
        String name = words.get("style", "factory");
        switch (name) {
            case "factory":
                return new ByFactory(new File(words.needed("flink")));
            case "descriptor":
                return new ByDescriptor(words);
            case "reflection":
                return new ByReflection(new File(words.needed("flink")));
            default:
                throw new IllegalArgumentException(name + " is no style");
        }
    }

    /** What the tool sets before it makes a descriptor. */
    abstract void configure(Configuration configuration);

    abstract Made make(Configuration configuration) throws Exception;

    /** A cluster for one job, in a release that has such clusters. */
    ClusterClientProvider<ApplicationId> deploy(Made made, String name, JobGraph job, boolean detached) throws Exception {
        Method deploy = YarnClusterDescriptor.class.getMethod("deployJobCluster", ClusterSpecification.class, JobGraph.class, boolean.class);
        try {
            return provider(deploy.invoke(made.descriptor, made.specification, job, detached));
        } catch (InvocationTargetException e) {
            // Nobody but this program uses reflection here.
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        }
    }

    @SuppressWarnings("unchecked")
    private static ClusterClientProvider<ApplicationId> provider(Object provider) {
        return (ClusterClientProvider<ApplicationId>) provider;
    }

    private static String distribution(File flink) {
        for (File jar : new File(flink, "lib").listFiles()) {
            if (jar.getName().startsWith("flink-dist")) {
                return "file://" + jar.getAbsolutePath();
            }
        }
        throw new IllegalArgumentException(flink + " has no flink-dist*.jar");
    }

    /** The elements of the list are files or, from 1.19 on, paths. */
    private static void ship(YarnClusterDescriptor descriptor, File file) throws Exception {
        Method add = YarnClusterDescriptor.class.getMethod("addShipFiles", List.class);
        Type element = ((ParameterizedType) add.getGenericParameterTypes()[0]).getActualTypeArguments()[0];
        add.invoke(descriptor, Collections.singletonList(element == File.class ? file : new Path(file.toURI())));
    }

    /** As StreamPark (sessions, applications), flink-cdc and Linkis: Flink's own factory makes it. */
    private static class ByFactory extends Style {
        final File flink;

        ByFactory(File flink) {
            this.flink = flink;
        }

        @Override
        void configure(Configuration configuration) {
            configuration.setString("$internal.deployment.config-dir", new File(flink, "conf").getPath());
            configuration.setString("yarn.flink-dist-jar", distribution(flink));
            if (!configuration.containsKey(PROVIDED)) {
                configuration.setString("yarn.ship-files", new File(flink, "lib") + ";" + new File(flink, "plugins"));
            }
        }

        @Override
        Made make(Configuration configuration) throws Exception {
            YarnClusterClientFactory factory = new YarnClusterClientFactory();
            ClusterSpecification specification = factory.getClusterSpecification(configuration);
            return new Made(specification, factory.createClusterDescriptor(configuration), null);
        }
    }

    /** As StreamPark's clusters for one job: what it wants of the descriptor is private. */
    private static final class ByReflection extends ByFactory {
        ByReflection(File flink) {
            super(flink);
        }

        @Override
        void configure(Configuration configuration) {
            configuration.setString("$internal.deployment.config-dir", new File(flink, "conf").getPath());
        }

        @Override
        Made make(Configuration configuration) throws Exception {
            Made made = super.make(configuration);
            made.descriptor.setLocalJarPath(new Path(distribution(flink)));
            if (!configuration.containsKey(PROVIDED)) {
                ship(made.descriptor, new File(flink, "lib"));
            }
            return made;
        }

        @Override
        ClusterClientProvider<ApplicationId> deploy(Made made, String name, JobGraph job, boolean detached) throws Exception {
            Class<?>[] types = {ClusterSpecification.class, String.class, String.class, JobGraph.class, boolean.class};
            Method deploy = YarnClusterDescriptor.class.getDeclaredMethod("deployInternal", types);
            deploy.setAccessible(true);
            String main = "org.apache.flink.yarn.entrypoint.YarnJobClusterEntrypoint";
            return provider(deploy.invoke(made.descriptor, made.specification, name, main, job, detached));
        }
    }

    /** As Dinky: with a configuration of Hadoop and a client of YARN that it has made itself. */
    private static final class ByDescriptor extends Style {
        private final File flink;
        private final File conf;
        private final String hadoop;
        private final Map<String, String> more;

        ByDescriptor(Words words) {
            flink = new File(words.needed("flink"));
            conf = new File(words.needed("conf"));
            hadoop = words.needed("hadoop");
            more = words.pairs("hadoop-set");
        }

        @Override
        void configure(Configuration configuration) {
            configuration.set(CoreOptions.CLASSLOADER_RESOLVE_ORDER, "parent-first");
            configuration.setString("fs.hdfs.hadoopconf", hadoop);
            YarnLogConfigUtil.setLogConfigFileInConfig(configuration, conf.getPath());
        }

        @Override
        Made make(Configuration configuration) throws Exception {
            YarnConfiguration yarn = new YarnConfiguration();
            for (String file : Arrays.asList("yarn-site.xml", "core-site.xml", "hdfs-site.xml")) {
                yarn.addResource(new Path(hadoop + "/" + file));
            }
            more.forEach(yarn::set);
            YarnClient client = YarnClient.createYarnClient();
            client.init(yarn);
            client.start();
            YarnClusterDescriptor descriptor =
                    new YarnClusterDescriptor(configuration, yarn, client, YarnClientYarnClusterInformationRetriever.create(client), true);
            descriptor.setLocalJarPath(new Path(distribution(flink)));
            if (!configuration.containsKey(PROVIDED)) {
                ship(descriptor, new File(flink, "lib"));
            }
            return new Made(specification(configuration), descriptor, client);
        }

        private static ClusterSpecification specification(Configuration configuration) {
            ClusterSpecification.ClusterSpecificationBuilder builder = new ClusterSpecification.ClusterSpecificationBuilder();
            if (configuration.contains(JobManagerOptions.TOTAL_PROCESS_MEMORY)) {
                builder.setMasterMemoryMB(configuration.get(JobManagerOptions.TOTAL_PROCESS_MEMORY).getMebiBytes());
            }
            if (configuration.contains(TaskManagerOptions.TOTAL_PROCESS_MEMORY)) {
                builder.setTaskManagerMemoryMB(configuration.get(TaskManagerOptions.TOTAL_PROCESS_MEMORY).getMebiBytes());
            }
            if (configuration.contains(TaskManagerOptions.NUM_TASK_SLOTS)) {
                builder.setSlotsPerTaskManager(configuration.get(TaskManagerOptions.NUM_TASK_SLOTS));
            }
            return builder.createClusterSpecification();
        }
    }
}
