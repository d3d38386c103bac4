package dev.heddle.sql;

import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.table.api.ResultKind;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * The {@code main()} of an application that is a SQL script. It carries out one statement after the other.
 * INSERTs and statement sets start jobs and are not waited for, unless {@code table.dml-sync} is true; the
 * application waits for all of them. The rows of queries and of commands such as SHOW go to the standard
 * output.
 */
public final class SqlScript {
    private static final Logger LOG = LoggerFactory.getLogger(SqlScript.class);

    /** The option that names the script, a file in the working directory. Flink's own program has it, too. */
    private static final String SCRIPT = "--scriptUri";
    /** The working directory holds Flink's configuration file. */
    private static final String CONFIGURATION_DIRECTORY = ".";
    /** Before Flink 1.15, a table environment does not read these keys of Flink's configuration itself. */
    private static final String OF_TABLES = "table.";
    /** The beginnings of keys that are about the cluster, which has started when the script is read. */
    private static final String[] OF_CLUSTER = {
        "execution.target",
        "execution.attached",
        "yarn.",
        "containerized.",
        "heddle.",
        "jobmanager.",
        "taskmanager.",
        "high-availability",
        "security.",
        "rest.",
        "env."
    };

    private final TableEnvironment tables;
    /** The settings to which RESET returns. */
    private final Map<String, String> initial;
    /** The keys that the script has set. */
    private final Set<String> changed = new TreeSet<>();

    private SqlScript(TableEnvironment tables) {
        this.tables = tables;
        this.initial = settings().toMap();
    }

    /** Arguments: {@code --scriptUri FILE}. */
    public static void main(String[] args) throws IOException {
        if (args.length != 2 || !args[0].equals(SCRIPT)) {
            throw new IllegalArgumentException("the arguments must be " + SCRIPT + " FILE");
        }
        String text = new String(Files.readAllBytes(Paths.get(args[1])), StandardCharsets.UTF_8);
        Script script = Script.parse(text);
        Map<String, String> cluster = GlobalConfiguration.loadConfiguration(CONFIGURATION_DIRECTORY).toMap();
        String mode = Check.modeOf(script.steps, cluster.get(Check.RUNTIME_MODE));
        Configuration ofTables = new Configuration();
        cluster.forEach(
                (key, value) -> {
                    if (key.startsWith(OF_TABLES)) {
                        ofTables.setString(key, value);
                    }
                });
        ofTables.setString(Check.RUNTIME_MODE, mode);
        new SqlScript(TableEnvironment.create(ofTables)).run(script);
    }

    private void run(Script script) {
        for (Step step : script.steps) {
            say("line " + step.piece.line + ": " + step.shown());
            try {
                carryOut(step);
            } catch (StatementFailed e) {
                throw e;
            } catch (RuntimeException | LinkageError e) {
                throw new StatementFailed(step.piece, e);
            }
        }
    }

    private void carryOut(Step step) {
        switch (step.kind) {
            case SET:
                set(step);
                break;
            case RESET:
                reset(step.key);
                break;
            case STATEMENT_SET:
                StatementSet inserts = tables.createStatementSet();
                for (Piece insert : step.inserts) {
                    add(inserts, insert);
                }
                tell(step, inserts.execute());
                break;
            case STATEMENT:
                tell(step, tables.executeSql(step.piece.atItsPlace()));
                break;
            default:
                say("the script ends here");
        }
    }

    /** An INSERT that is wrong is named, and not the set that it is part of. */
    private static void add(StatementSet inserts, Piece insert) {
        try {
            inserts.addInsertSql(insert.atItsPlace());
        } catch (RuntimeException | LinkageError e) {
            throw new StatementFailed(insert, e);
        }
    }

    private static void tell(Step step, TableResult result) {
        if (result.getJobClient().isPresent() && !step.isQuery()) {
            say("job " + result.getJobClient().get().getJobID());
        } else if (result.getResultKind() == ResultKind.SUCCESS_WITH_CONTENT) {
            result.print();
        }
    }

    private void set(Step step) {
        if (step.key == null) {
            new TreeMap<>(settings().toMap())
                    .forEach((key, value) -> say("'" + key + "' = '" + shown(key, value) + "'"));
            return;
        }
        for (String beginning : OF_CLUSTER) {
            if (step.key.startsWith(beginning)) {
                say("this has no effect: the cluster runs already. A deployment sets it with -D" + step.key + "=...");
                return;
            }
        }
        // The environment has the mode of all jobs since it was made.
        if (!step.key.equals(Check.RUNTIME_MODE)) {
            settings().setString(step.key, step.value);
            changed.add(step.key);
        }
    }

    /** Takes back what the script has set: one setting, or all. */
    private void reset(String wanted) {
        for (String key : new ArrayList<>(changed)) {
            if (wanted != null && !wanted.equals(key)) {
                continue;
            }
            changed.remove(key);
            String before = initial.get(key);
            if (before == null) {
                settings().removeConfig(ConfigOptions.key(key).stringType().noDefaultValue());
            } else {
                settings().setString(key, before);
            }
        }
    }

    private Configuration settings() {
        return tables.getConfig().getConfiguration();
    }

    private static String shown(String key, String value) {
        return GlobalConfiguration.isSensitive(key) ? GlobalConfiguration.HIDDEN_CONTENT : value;
    }

    /** Writes a line beside the rows of the script, and into the log. */
    private static void say(String line) {
        LOG.info("{}", line);
        System.out.println(line);
    }
}
