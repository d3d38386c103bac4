import com.fasterxml.jackson.databind.ObjectMapper;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CommonConfigurationKeysPublic;
import org.apache.hadoop.ipc.Server;
import org.apache.hadoop.security.SaslRpcServer;
import org.apache.hadoop.yarn.api.ContainerManagementProtocol;
import org.apache.hadoop.yarn.api.records.ContainerExitStatus;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.NodeId;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.ipc.YarnRPC;
import org.apache.hadoop.yarn.server.api.ResourceTracker;
import org.apache.hadoop.yarn.server.api.ServerRMProxy;
import org.apache.hadoop.yarn.server.api.records.MasterKey;
import org.apache.hadoop.yarn.server.nodemanager.security.NMTokenSecretManagerInNM;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/**
 * Many NodeManagers in one process that a real ResourceManager takes for real ones: they register, send heartbeats, and take the
 * calls of ApplicationMasters through Hadoop's own RPC server and tokens. Nothing runs in their containers.
 *
 * <p>Each node is a host of its own, 127.0.x.y, with one port for all. The ResourceManager is that of the Hadoop configuration on the class path.
 *
 * <pre>usage: SimulatedNodes NODES MEMORY_MB VCORES HEARTBEAT_MS [TASKRUNNERS]</pre>
 *
 * HEARTBEAT_MS is 0 for what the ResourceManager wants. TASKRUNNERS is a program for {@link Taskrunners}. Commands come as lines to stdin,
 * each answered by one line of JSON: `join`, `leave`, `count`, `report`, `reset`. The end of stdin ends all.
 */
public final class SimulatedNodes implements Containers.Processes {
    private static final int HANDLERS = 16;
    private static final int BEATERS = 8;

    private final Ledger ledger = new Ledger();
    private final Map<String, Node> nodes = new LinkedHashMap<>();
    private final Map<ContainerId, Node> places = new ConcurrentHashMap<>();
    private final Taskrunners taskrunners;
    private final Server server;
    private final long interval;
    private int currentKey = -1;
    /** Containers that no process runs in. */
    private final Map<ContainerId, Boolean> empty = new ConcurrentHashMap<>();

    private SimulatedNodes(int count, Resource each, long interval, String taskrunnersProgram) throws IOException {
        Configuration conf = new YarnConfiguration();
        this.interval = interval;
        taskrunners = taskrunnersProgram == null ? null : new Taskrunners(taskrunnersProgram, ledger::linked, this::ended);

        // One for all nodes: it has the same key from the ResourceManager as each of them.
        NMTokenSecretManagerInNM secrets = new NMTokenSecretManagerInNM();
        Configuration tokensOnly = new Configuration(conf);
        tokensOnly.set(
                CommonConfigurationKeysPublic.HADOOP_SECURITY_AUTHENTICATION, SaslRpcServer.AuthMethod.TOKEN.toString());
        Containers containers = new Containers(nodes::get, places::get, this, ledger);
        server =
                YarnRPC.create(conf)
                        .getServer(
                                ContainerManagementProtocol.class, containers, new InetSocketAddress("0.0.0.0", 0),
                                tokensOnly, secrets, HANDLERS);
        server.start();

        ResourceTracker tracker = ServerRMProxy.createRMProxy(conf, ResourceTracker.class);
        ScheduledThreadPoolExecutor pool = new ScheduledThreadPoolExecutor(BEATERS);
        pool.setRemoveOnCancelPolicy(true);
        for (int i = 0; i < count; i++) {
            // 127.0.0.1 is this machine's own.
            String host = "127.0." + (i + 2) / 256 + "." + (i + 2) % 256;
            NodeId id = NodeId.newInstance(host, server.getListenerAddress().getPort());
            nodes.put(
                    id.toString(),
                    new Node(id, each, interval, tracker, pool, ledger, key -> take(secrets, key), this::stop));
        }
    }

    private synchronized void take(NMTokenSecretManagerInNM secrets, MasterKey key) {
        if (key.getKeyId() != currentKey) {
            secrets.setMasterKey(key);
            currentKey = key.getKeyId();
        }
    }

    @Override
    public void start(Node node, ContainerId container, ContainerLaunchContext context) throws IOException {
        places.put(container, node);
        if (taskrunners == null || !taskrunners.start(container, context)) {
            empty.put(container, true);
        }
    }

    @Override
    public void stop(ContainerId container) {
        if (empty.remove(container) != null || taskrunners == null) {
            ended(container, ContainerExitStatus.KILLED_BY_APPMASTER);
            return;
        }
        try {
            taskrunners.stop(container);
        } catch (IOException e) {
            System.err.println("the taskrunners cannot be told to stop " + container + ": " + e);
        }
    }

    private void ended(ContainerId container, int exitStatus) {
        Node node = places.remove(container);
        if (node != null) {
            node.ended(container, exitStatus);
        }
    }

    private Object command(String command) throws Exception {
        switch (command) {
            case "join":
                int number = 0;
                long between = interval > 0 ? interval : 1000;
                for (Node node : nodes.values()) {
                    // Spread evenly, as those of a cluster are.
                    node.join(between * number++ / nodes.size());
                }
                return Map.of("nodes", nodes.size());
            case "leave":
                for (Node node : nodes.values()) {
                    node.leave();
                }
                return Map.of("nodes", 0);
            case "count":
                return ledger.counts();
            case "report":
                Map<String, Object> report = ledger.report();
                report.put("connections", server.getNumOpenConnections());
                report.put("taskrunners", taskrunners == null ? 0 : taskrunners.pid());
                return report;
            case "reset":
                ledger.reset();
                return Map.of();
            default:
                return Map.of("error", "no command `" + command + "`");
        }
    }

    private void serve(PrintStream out) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            Object answer;
            try {
                answer = command(line.trim());
            } catch (Exception e) {
                answer = Map.of("error", line + ": " + e);
            }
            out.println(json.writeValueAsString(answer));
            out.flush();
        }
        command("leave");
        if (taskrunners != null) {
            taskrunners.end();
        }
    }

    public static void main(String[] args) throws Exception {
        // Answers alone go to stdout, whatever a library prints.
        PrintStream out = System.out;
        System.setOut(System.err);
        Resource each = Resource.newInstance(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
        String taskrunners = args.length > 4 ? args[4] : null;
        new SimulatedNodes(Integer.parseInt(args[0]), each, Long.parseLong(args[3]), taskrunners).serve(out);
        System.exit(0);
    }
}
