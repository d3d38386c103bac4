package org.apache.zeppelin.interpreter.remote;

import standins.StandIn;

/** Zeppelin's interpreter asks YARN for its own application by `_APP_ID`, and runs until Zeppelin ends it. */
public final class RemoteInterpreterServer {
    public static void main(String[] args) throws Exception {
        StandIn.tell("application", System.getenv("_APP_ID"));
        StandIn.tell("arguments", String.join(" ", args));
        StandIn.run("zeppelin", 600);
    }
}
