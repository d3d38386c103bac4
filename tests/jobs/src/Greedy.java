import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Wants a slot with {@code --megabytes} of heap, more than the configuration of TaskManagers says. */
public final class Greedy {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        SlotSharingGroup large =
                SlotSharingGroup.newBuilder("large")
                        .setCpuCores(1)
                        .setTaskHeapMemoryMB((int) options.number("megabytes", 100_000))
                        .build();
        env.registerSlotSharingGroup(large);
        env.fromSequence(1, 1).slotSharingGroup("large").print().slotSharingGroup("large");
        env.execute("Greedy");
    }
}
