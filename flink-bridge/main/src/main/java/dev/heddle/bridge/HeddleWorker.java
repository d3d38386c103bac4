package dev.heddle.bridge;

import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.clusterframework.types.ResourceIDRetrievable;

/**
 * A YARN container in which a TaskManager runs or is to be started. Flink's resource id of it is the
 * container's id.
 */
final class HeddleWorker implements ResourceIDRetrievable {
    /** The NodeManager's host name. */
    final String host;

    private final ResourceID resourceId;

    /** @param node the NodeManager's {@code host:port}, which Flink shows beside the id */
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
