import org.apache.hadoop.yarn.api.ContainerManagementProtocol;
import org.apache.hadoop.yarn.api.protocolrecords.CommitResponse;
import org.apache.hadoop.yarn.api.protocolrecords.ContainerUpdateRequest;
import org.apache.hadoop.yarn.api.protocolrecords.ContainerUpdateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetContainerStatusesRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetContainerStatusesResponse;
import org.apache.hadoop.yarn.api.protocolrecords.GetLocalizationStatusesRequest;
import org.apache.hadoop.yarn.api.protocolrecords.GetLocalizationStatusesResponse;
import org.apache.hadoop.yarn.api.protocolrecords.IncreaseContainersResourceRequest;
import org.apache.hadoop.yarn.api.protocolrecords.IncreaseContainersResourceResponse;
import org.apache.hadoop.yarn.api.protocolrecords.ReInitializeContainerRequest;
import org.apache.hadoop.yarn.api.protocolrecords.ReInitializeContainerResponse;
import org.apache.hadoop.yarn.api.protocolrecords.ResourceLocalizationRequest;
import org.apache.hadoop.yarn.api.protocolrecords.ResourceLocalizationResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RestartContainerResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RollbackResponse;
import org.apache.hadoop.yarn.api.protocolrecords.SignalContainerRequest;
import org.apache.hadoop.yarn.api.protocolrecords.SignalContainerResponse;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainerRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainersRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StartContainersResponse;
import org.apache.hadoop.yarn.api.protocolrecords.StopContainersRequest;
import org.apache.hadoop.yarn.api.protocolrecords.StopContainersResponse;
import org.apache.hadoop.yarn.api.protocolrecords.impl.pb.StartContainersRequestPBImpl;
import org.apache.hadoop.yarn.api.protocolrecords.impl.pb.StopContainersRequestPBImpl;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.SerializedException;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.apache.hadoop.yarn.security.ContainerTokenIdentifier;
import org.apache.hadoop.yarn.server.utils.BuilderUtils;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** What ApplicationMasters call, for all nodes: the container's token says on which one it is. */
final class Containers implements ContainerManagementProtocol {
    /** Starts and stops the processes of a container. */
    interface Processes {
        void start(Node node, ContainerId container, ContainerLaunchContext context) throws IOException;

        void stop(ContainerId container);
    }

    private final Function<String, Node> byAddress;
    private final Function<ContainerId, Node> byContainer;
    private final Processes processes;
    private final Ledger ledger;

    Containers(
            Function<String, Node> byAddress, Function<ContainerId, Node> byContainer, Processes processes, Ledger ledger) {
        this.byAddress = byAddress;
        this.byContainer = byContainer;
        this.processes = processes;
        this.ledger = ledger;
    }

    @Override
    public StartContainersResponse startContainers(StartContainersRequest request) throws IOException {
        ledger.call("startContainers", ((StartContainersRequestPBImpl) request).getProto().getSerializedSize());
        List<ContainerId> started = new ArrayList<>();
        Map<ContainerId, SerializedException> failed = new HashMap<>();
        for (StartContainerRequest one : request.getStartContainerRequests()) {
            ContainerTokenIdentifier token = BuilderUtils.newContainerTokenIdentifier(one.getContainerToken());
            ContainerId container = token.getContainerID();
            Node node = byAddress.apply(token.getNmHostAddress());
            if (node == null) {
                failed.put(container, serialized("there is no node " + token.getNmHostAddress()));
            } else if (!node.start(container, token.getResource())) {
                failed.put(container, serialized("the container was started before"));
            } else {
                processes.start(node, container, one.getContainerLaunchContext());
                started.add(container);
            }
        }
        return StartContainersResponse.newInstance(Collections.emptyMap(), started, failed);
    }

    @Override
    public StopContainersResponse stopContainers(StopContainersRequest request) {
        ledger.call("stopContainers", ((StopContainersRequestPBImpl) request).getProto().getSerializedSize());
        List<ContainerId> stopped = new ArrayList<>();
        Map<ContainerId, SerializedException> failed = new HashMap<>();
        for (ContainerId container : request.getContainerIds()) {
            if (byContainer.apply(container) == null) {
                failed.put(container, serialized("the container is not known here"));
            } else {
                processes.stop(container);
                stopped.add(container);
            }
        }
        return StopContainersResponse.newInstance(stopped, failed);
    }

    @Override
    public GetContainerStatusesResponse getContainerStatuses(GetContainerStatusesRequest request) {
        ledger.call("getContainerStatuses", 0);
        List<ContainerStatus> found = new ArrayList<>();
        Map<ContainerId, SerializedException> failed = new HashMap<>();
        for (ContainerId container : request.getContainerIds()) {
            Node node = byContainer.apply(container);
            ContainerStatus status = node == null ? null : node.status(container);
            if (status == null) {
                failed.put(container, serialized("the container is not known here"));
            } else {
                found.add(status);
            }
        }
        return GetContainerStatusesResponse.newInstance(found, failed);
    }

    private static SerializedException serialized(String why) {
        return SerializedException.newInstance(new YarnException(why));
    }

    // ---- what neither client calls ----

    private static YarnException unsupported(String call) {
        return new YarnException("simulated nodes do not know `" + call + "`");
    }

    @Override
    @Deprecated
    public IncreaseContainersResourceResponse increaseContainersResource(IncreaseContainersResourceRequest request)
            throws YarnException {
        throw unsupported("increaseContainersResource");
    }

    @Override
    public ContainerUpdateResponse updateContainer(ContainerUpdateRequest request) throws YarnException {
        throw unsupported("updateContainer");
    }

    @Override
    public SignalContainerResponse signalToContainer(SignalContainerRequest request) throws YarnException {
        throw unsupported("signalToContainer");
    }

    @Override
    public ResourceLocalizationResponse localize(ResourceLocalizationRequest request) throws YarnException {
        throw unsupported("localize");
    }

    @Override
    public ReInitializeContainerResponse reInitializeContainer(ReInitializeContainerRequest request) throws YarnException {
        throw unsupported("reInitializeContainer");
    }

    @Override
    public RestartContainerResponse restartContainer(ContainerId container) throws YarnException {
        throw unsupported("restartContainer");
    }

    @Override
    public RollbackResponse rollbackLastReInitialization(ContainerId container) throws YarnException {
        throw unsupported("rollbackLastReInitialization");
    }

    @Override
    public CommitResponse commitLastReInitialization(ContainerId container) throws YarnException {
        throw unsupported("commitLastReInitialization");
    }

    @Override
    public GetLocalizationStatusesResponse getLocalizationStatuses(GetLocalizationStatusesRequest request)
            throws YarnException {
        throw unsupported("getLocalizationStatuses");
    }
}
