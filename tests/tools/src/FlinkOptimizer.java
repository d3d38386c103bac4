package org.apache.amoro.optimizer.flink;

import standins.StandIn;

/** Amoro's optimizer runs until it is cancelled. */
public final class FlinkOptimizer {
    public static void main(String[] args) throws Exception {
        StandIn.tell("server", StandIn.behind("-a", args));
        StandIn.run("amoro", 600);
    }
}
