package org.apache.kyuubi.engine.flink;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;

import standins.StandIn;

import java.io.File;

/** Kyuubi's engine reads Flink's configuration from the directory in FLINK_CONF_DIR, and the SQL jars are on its class path. */
public final class FlinkSQLEngine {
    public static void main(String[] args) throws Exception {
        String directory = System.getenv("FLINK_CONF_DIR");
        StandIn.tell("directory", directory);
        Configuration configuration = GlobalConfiguration.loadConfiguration(directory);
        StandIn.tell("target", configuration.toMap().get("execution.target"));
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            String name = new File(entry).getName();
            if (name.startsWith("flink-sql-client") || name.startsWith("flink-sql-gateway")) {
                StandIn.tell("jar", name);
            }
        }
        for (String argument : args) {
            StandIn.tell("argument", argument);
        }
        StandIn.run("kyuubi", 0);
    }
}
