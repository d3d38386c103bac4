package org.apache.seatunnel.core.starter.flink;

import standins.StandIn;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.stream.Stream;

/**
 * In a container SeaTunnel's program looks in its working directory for the job's file, by its last name, and for its connectors
 * in the directory that is called as the archive.
 */
public final class SeaTunnelFlink {
    public static void main(String[] args) throws Exception {
        Path config = Paths.get(StandIn.behind("--config", args));
        if (StandIn.behind("--deploy-mode", args).equals("run-application")) {
            config = config.getFileName();
            try (Stream<Path> connectors = Files.list(Paths.get("runtime.tar.gz", "connectors"))) {
                connectors.forEach(file -> StandIn.tell("connector", file.getFileName()));
            }
        }
        StandIn.tell("config", Files.readAllLines(config, StandardCharsets.UTF_8).get(0));
        StandIn.run(StandIn.behind("--name", args), 0);
    }
}
