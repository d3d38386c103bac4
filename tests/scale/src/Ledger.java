import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.NodeId;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What happened on all nodes since the last {@link #reset}: when each container started and ended, calls and their bytes. */
final class Ledger {
    /** One container's life; times are milliseconds since 1970, 0 while it has not happened. */
    private static final class Life {
        private final String node;
        private final long started;
        private long linked;
        private long ended;

        private Life(String node, long started) {
            this.node = node;
            this.started = started;
        }
    }

    private final Map<String, Life> lives = new LinkedHashMap<>();
    private final Map<String, Long> calls = new TreeMap<>();
    private final Map<String, Long> bytes = new TreeMap<>();

    synchronized void reset() {
        lives.clear();
        calls.clear();
        bytes.clear();
    }

    /** A call that a NodeManager answered, or made itself. */
    synchronized void call(String name, long size) {
        calls.merge(name, 1L, Long::sum);
        bytes.merge(name, size, Long::sum);
    }

    synchronized void started(ContainerId container, NodeId node) {
        lives.put(container.toString(), new Life(node.toString(), System.currentTimeMillis()));
    }

    /** Its taskrunner has the ApplicationMaster's order. */
    synchronized void linked(String container) {
        Life life = lives.get(container);
        if (life != null && life.linked == 0) {
            life.linked = System.currentTimeMillis();
        }
    }

    synchronized void ended(ContainerId container) {
        Life life = lives.get(container.toString());
        if (life != null && life.ended == 0) {
            life.ended = System.currentTimeMillis();
        }
    }

    /** Few enough numbers to be asked for often. */
    synchronized Map<String, Object> counts() {
        Map<String, Object> counts = new LinkedHashMap<>();
        counts.put("started", lives.size());
        counts.put("linked", lives.values().stream().filter(life -> life.linked != 0).count());
        counts.put("running", lives.values().stream().filter(life -> life.ended == 0).count());
        return counts;
    }

    synchronized Map<String, Object> report() {
        List<Map<String, Object>> containers = new ArrayList<>();
        lives.forEach(
                (container, life) -> {
                    Map<String, Object> one = new LinkedHashMap<>();
                    one.put("id", container);
                    one.put("node", life.node);
                    one.put("started", life.started);
                    one.put("linked", life.linked);
                    one.put("ended", life.ended);
                    containers.add(one);
                });
        Map<String, Object> report = counts();
        report.put("calls", new TreeMap<>(calls));
        report.put("bytes", new TreeMap<>(bytes));
        report.put("containers", containers);
        return report;
    }
}
