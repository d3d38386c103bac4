package org.apache.flink.client.program;

import org.apache.flink.client.program.rest.RestClusterClient;

/** A stand-in with what the agent calls of it. */
public interface ClusterClientProvider<T> {
    RestClusterClient<T> getClusterClient();
}
