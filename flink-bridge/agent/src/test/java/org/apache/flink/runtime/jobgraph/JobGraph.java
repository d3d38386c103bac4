package org.apache.flink.runtime.jobgraph;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.JobID;

/** A stand-in with what the agent calls of it. */
public class JobGraph {
    private final JobID id = new JobID();
    private final List<Object> jars = new ArrayList<>(Arrays.asList("/a.jar", "hdfs://n/b.jar"));

    public JobID getJobID() {
        return id;
    }

    public List<Object> getUserJars() {
        return jars;
    }
}
