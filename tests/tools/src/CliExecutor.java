package org.apache.flink.cdc.cli;

import standins.StandIn;

/** The executor of flink-cdc gets the text of a pipeline as its only argument, and finds connectors on its class path. */
public final class CliExecutor {
    public static void main(String[] args) throws Exception {
        StandIn.tell("arguments", args.length);
        for (String line : args[0].split("\n")) {
            StandIn.tell("line", line);
        }
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        StandIn.tell("connector", loader.getResource("connector.txt") != null);
        StandIn.run("flink-cdc", 0);
    }
}
