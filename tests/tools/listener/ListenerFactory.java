package standins;

import org.apache.flink.core.execution.JobExecutionStatusEvent;
import org.apache.flink.core.execution.JobStatusChangedEvent;
import org.apache.flink.core.execution.JobStatusChangedListener;
import org.apache.flink.core.execution.JobStatusChangedListenerFactory;

/** A listener as OpenLineage's is: it gets settings of its own from the configuration, and hears of each change. Flink 2 has it. */
public final class ListenerFactory implements JobStatusChangedListenerFactory {
    @Override
    public JobStatusChangedListener createListener(Context context) {
        StandIn.tell("transport", context.getConfiguration().toMap().get("openlineage.transport.type"));
        return ListenerFactory::hear;
    }

    private static void hear(JobStatusChangedEvent event) {
        if (event instanceof JobExecutionStatusEvent) {
            StandIn.tell("status", ((JobExecutionStatusEvent) event).newStatus());
        }
    }
}
