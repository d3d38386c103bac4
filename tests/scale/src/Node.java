import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ContainerExitStatus;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerState;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.NodeId;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.ResourceUtilization;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.apache.hadoop.yarn.server.api.ResourceTracker;
import org.apache.hadoop.yarn.server.api.protocolrecords.NodeHeartbeatRequest;
import org.apache.hadoop.yarn.server.api.protocolrecords.NodeHeartbeatResponse;
import org.apache.hadoop.yarn.server.api.protocolrecords.RegisterNodeManagerRequest;
import org.apache.hadoop.yarn.server.api.protocolrecords.RegisterNodeManagerResponse;
import org.apache.hadoop.yarn.server.api.protocolrecords.UnRegisterNodeManagerRequest;
import org.apache.hadoop.yarn.server.api.records.MasterKey;
import org.apache.hadoop.yarn.server.api.records.NodeAction;
import org.apache.hadoop.yarn.server.api.records.NodeHealthStatus;
import org.apache.hadoop.yarn.server.api.records.NodeStatus;
import org.apache.hadoop.yarn.util.Records;
import org.apache.hadoop.yarn.util.YarnVersionInfo;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One NodeManager as the ResourceManager sees it: it registers, sends heartbeats, and says what its containers do. */
final class Node {
    private static final class Held {
        private final Resource resource;
        private ContainerState state = ContainerState.RUNNING;
        private int exitStatus = ContainerExitStatus.INVALID;

        private Held(Resource resource) {
            this.resource = resource;
        }
    }

    private final NodeId id;
    private final Resource resource;
    private final long interval;
    private final ResourceTracker tracker;
    private final ScheduledExecutorService pool;
    private final Ledger ledger;
    private final Consumer<MasterKey> newKey;
    private final Consumer<ContainerId> stop;

    private final Map<ContainerId, Held> containers = new LinkedHashMap<>();
    private int responseId;
    private MasterKey containerKey;
    private MasterKey tokenKey;
    private ScheduledFuture<?> next;
    private boolean joined;
    private boolean beating;
    private boolean again;

    /**
     * @param interval between heartbeats in milliseconds; 0 for what the ResourceManager says
     * @param newKey takes the key by which the calls of ApplicationMasters are checked
     * @param stop has a container's processes stopped; {@link #ended} follows
     */
    Node(
            NodeId id,
            Resource resource,
            long interval,
            ResourceTracker tracker,
            ScheduledExecutorService pool,
            Ledger ledger,
            Consumer<MasterKey> newKey,
            Consumer<ContainerId> stop) {
        this.id = id;
        this.resource = resource;
        this.interval = interval;
        this.tracker = tracker;
        this.pool = pool;
        this.ledger = ledger;
        this.newKey = newKey;
        this.stop = stop;
    }

    /** Registers; the first heartbeat comes after `delay` milliseconds. */
    void join(long delay) throws YarnException, IOException {
        register();
        synchronized (this) {
            joined = true;
            next = pool.schedule(this::beat, delay, TimeUnit.MILLISECONDS);
        }
    }

    /** Goes as a NodeManager that is shut down: its containers end with it. */
    void leave() throws YarnException, IOException {
        List<ContainerId> gone;
        synchronized (this) {
            if (!joined) {
                return;
            }
            joined = false;
            next.cancel(false);
            gone = forget(null);
        }
        gone.forEach(stop);
        UnRegisterNodeManagerRequest request = Records.newRecord(UnRegisterNodeManagerRequest.class);
        request.setNodeId(id);
        tracker.unRegisterNodeManager(request);
    }

    /** False when the node knows it already. */
    synchronized boolean start(ContainerId container, Resource size) {
        if (containers.putIfAbsent(container, new Held(size)) != null) {
            return false;
        }
        ledger.started(container, id);
        return true;
    }

    synchronized ContainerStatus status(ContainerId container) {
        Held held = containers.get(container);
        return held == null ? null : status(container, held);
    }

    /** A real NodeManager sends a heartbeat at once when a container is done, and not when one has started. */
    void ended(ContainerId container, int exitStatus) {
        synchronized (this) {
            Held held = containers.get(container);
            if (held == null || held.state == ContainerState.COMPLETE) {
                return;
            }
            held.state = ContainerState.COMPLETE;
            held.exitStatus = exitStatus;
            ledger.ended(container);
            if (!joined) {
                return;
            }
            if (beating) {
                again = true;
                return;
            }
            if (next.cancel(false)) {
                next = pool.schedule(this::beat, 0, TimeUnit.MILLISECONDS);
            }
        }
    }

    private void register() throws YarnException, IOException {
        RegisterNodeManagerRequest request =
                RegisterNodeManagerRequest.newInstance(
                        id, 0, resource, YarnVersionInfo.getVersion(), Collections.emptyList(), Collections.emptyList(),
                        null, resource, null, status(0));
        RegisterNodeManagerResponse response = tracker.registerNodeManager(request);
        if (response.getNodeAction() == NodeAction.SHUTDOWN) {
            throw new YarnException("the ResourceManager refuses " + id + ": " + response.getDiagnosticsMessage());
        }
        synchronized (this) {
            responseId = 0;
            containerKey = response.getContainerTokenMasterKey();
            tokenKey = response.getNMTokenMasterKey();
        }
        newKey.accept(response.getNMTokenMasterKey());
    }

    private void beat() {
        long wait = interval > 0 ? interval : 1000;
        try {
            NodeHeartbeatRequest request;
            synchronized (this) {
                if (!joined) {
                    return;
                }
                beating = true;
                again = false;
                request = NodeHeartbeatRequest.newInstance(status(responseId), containerKey, tokenKey, null);
            }
            NodeHeartbeatResponse response = tracker.nodeHeartbeat(request);
            ledger.call("nodeHeartbeat", 0);
            if (interval <= 0 && response.getNextHeartBeatInterval() > 0) {
                wait = response.getNextHeartBeatInterval();
            }
            answered(response);
        } catch (YarnException | IOException | RuntimeException e) {
            System.err.println(id + ": the heartbeat failed: " + e);
        } finally {
            synchronized (this) {
                beating = false;
                if (joined) {
                    next = pool.schedule(this::beat, again ? 0 : wait, TimeUnit.MILLISECONDS);
                }
            }
        }
    }

    private void answered(NodeHeartbeatResponse response) throws YarnException, IOException {
        if (response.getNodeAction() == NodeAction.RESYNC) {
            register();
            return;
        }
        List<ContainerId> stopped = new ArrayList<>();
        synchronized (this) {
            responseId = response.getResponseId();
            if (response.getContainerTokenMasterKey() != null) {
                containerKey = response.getContainerTokenMasterKey();
            }
            if (response.getNMTokenMasterKey() != null) {
                tokenKey = response.getNMTokenMasterKey();
                newKey.accept(tokenKey);
            }
            containers.keySet().removeAll(response.getContainersToBeRemovedFromNM());
            for (ContainerId container : response.getContainersToCleanup()) {
                if (containers.containsKey(container)) {
                    stopped.add(container);
                }
            }
            for (ApplicationId application : response.getApplicationsToCleanup()) {
                stopped.addAll(forget(application));
            }
        }
        stopped.forEach(stop);
    }

    /** Of a finished application, or all when it is null: nobody wants to hear of their end, only to have them stopped. */
    private synchronized List<ContainerId> forget(ApplicationId application) {
        List<ContainerId> gone = new ArrayList<>(containers.keySet());
        gone.removeIf(
                container ->
                        application != null
                                && !container.getApplicationAttemptId().getApplicationId().equals(application));
        gone.forEach(ledger::ended);
        containers.keySet().removeAll(gone);
        return gone;
    }

    /** As a real one: of all containers each time, of an ended one until the ResourceManager has it. */
    private synchronized NodeStatus status(int response) {
        List<ContainerStatus> statuses = new ArrayList<>();
        containers.forEach((container, held) -> statuses.add(status(container, held)));
        ResourceUtilization used = ResourceUtilization.newInstance(0, 0, 0);
        NodeHealthStatus health = NodeHealthStatus.newInstance(true, "", System.currentTimeMillis());
        return NodeStatus.newInstance(
                id, response, statuses, Collections.emptyList(), health, used, used, Collections.emptyList());
    }

    private static ContainerStatus status(ContainerId container, Held held) {
        ContainerStatus status = ContainerStatus.newInstance(container, held.state, "", held.exitStatus);
        status.setCapability(held.resource);
        return status;
    }
}
