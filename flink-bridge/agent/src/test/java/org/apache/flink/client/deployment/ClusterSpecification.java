package org.apache.flink.client.deployment;

/** A stand-in with what the agent calls of it. */
public final class ClusterSpecification {
    public int getMasterMemoryMB() {
        return 1024;
    }

    public int getTaskManagerMemoryMB() {
        return 2048;
    }

    public int getSlotsPerTaskManager() {
        return 2;
    }
}
