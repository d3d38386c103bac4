package dev.heddle.bridge;

import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.clusterframework.types.ResourceIDRetrievable;

/** A YARN container that runs, or is about to run, a TaskManager. Its Flink resource id is the container id. */
final class HeddleWorker implements ResourceIDRetrievable {
    /** The NodeManager's host name. */
    final String host;

    private final ResourceID resourceId;

    /** @param node the NodeManager's {@code host:port}, shown by Flink next to the id */
    HeddleWorker(String container, String node, String host) {
        this.resourceId = new ResourceID(container, node);
        this.host = host;
    }

    String container() {
        return resourceId.getResourceIdString();
    }

    @Override
    public ResourceID getResourceID() {
        return resourceId;
    }

    @Override
    public String toString() {
        return resourceId.getStringWithMetadata();
    }
}
