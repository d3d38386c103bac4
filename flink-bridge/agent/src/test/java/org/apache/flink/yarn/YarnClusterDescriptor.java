package org.apache.flink.yarn;

import java.util.Collections;
import java.util.List;
import org.apache.flink.client.deployment.ClusterSpecification;
import org.apache.flink.client.program.ClusterClientProvider;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.conf.YarnConfiguration;

/** A stand-in with what the agent calls of it. */
public class YarnClusterDescriptor {
    private final Configuration flinkConfiguration = new Configuration();
    private final YarnConfiguration yarnConfiguration = new YarnConfiguration();
    private final YarnClient yarnClient = new YarnClient();
    private final List<Path> shipFiles = Collections.singletonList(new Path("file:/a b"));
    private final List<Path> shipArchives = Collections.emptyList();
    private Path flinkJarPath;
    private final String customName = null;

    public Configuration getFlinkConfiguration() {
        return flinkConfiguration;
    }

    public YarnClient getYarnClient() {
        return yarnClient;
    }

    public ClusterClientProvider<ApplicationId> deploy(String entrypoint, JobGraph graph, boolean detached) throws Exception {
        return deployInternal(new ClusterSpecification(), "name", entrypoint, graph, detached);
    }

    private ClusterClientProvider<ApplicationId> deployInternal(
            ClusterSpecification specification, String name, String entrypoint, JobGraph graph, boolean detached)
            throws Exception {
        throw new UnsupportedOperationException(
                "by Flink itself" + yarnConfiguration + shipFiles + shipArchives + flinkJarPath + customName);
    }

    private void setClusterEntrypointInfoToConfig(ApplicationReport report) {
        flinkConfiguration.set("yarn.application.id", report.id.toString());
    }

    private static class YarnDeploymentException extends RuntimeException {
        private static final long serialVersionUID = 1;

        YarnDeploymentException(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
