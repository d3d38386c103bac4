package dev.heddle.sql;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Finds what a script cannot do, before its first statement is carried out. */
final class Check {
    /** Flink's key for the mode of jobs, which a table environment keeps for its whole life. */
    static final String RUNTIME_MODE = "execution.runtime-mode";

    private static final String STREAMING = "STREAMING";
    private static final String BATCH = "BATCH";
    /** The beginning of the keys that each statement reads anew. */
    private static final String OF_TABLES = "table.";

    private Check() {}

    /**
     * Checks the steps of a script.
     *
     * @param configured the mode that the cluster's configuration names, or null
     * @return the mode in which all jobs of the script run
     * @throws StatementFailed if the script changes the mode between jobs, or takes a setting back that a job
     *     already has
     * @throws IllegalArgumentException if the script starts no job
     */
    static String modeOf(List<Step> steps, String configured) {
        String initial = configured == null ? STREAMING : upper(configured);
        String mode = initial;
        String ofJobs = null;
        Set<String> set = new HashSet<>();
        Set<String> used = new HashSet<>();
        for (Step step : steps) {
            boolean ofMode = step.key == null || step.key.equals(RUNTIME_MODE);
            if (step.kind == Step.Kind.SET && step.key != null) {
                set.add(step.key);
                mode = ofMode ? upper(step.value) : mode;
                if (ofMode && !mode.equals(STREAMING) && !mode.equals(BATCH)) {
                    throw new StatementFailed(step.piece, "Flink's SQL knows the modes streaming and batch");
                }
            } else if (step.kind == Step.Kind.RESET) {
                mode = ofMode ? initial : mode;
                checkReset(step, used);
            } else if (step.mayStartJob()) {
                if (ofJobs != null && !ofJobs.equals(mode)) {
                    throw new StatementFailed(
                            step.piece,
                            "the statements before it run in the mode "
                                    + ofJobs.toLowerCase(Locale.ROOT)
                                    + ", and one application has one mode: make two scripts of it");
                }
                ofJobs = mode;
                used.addAll(set);
            }
        }
        if (ofJobs == null) {
            throw new IllegalArgumentException(
                    "the script starts no job, so it cannot be an application;"
                            + " sql-client.sh runs statements that need no job");
        }
        return ofJobs;
    }

    /** Settings of jobs stay in the environment from which all jobs start, also when they are taken back. */
    private static void checkReset(Step step, Set<String> used) {
        for (String key : used) {
            boolean meant = step.key == null || step.key.equals(key);
            if (meant && !key.startsWith(OF_TABLES) && !key.equals(RUNTIME_MODE)) {
                throw new StatementFailed(
                        step.piece,
                        "a job has started with '" + key + "', which cannot be taken back then: set it to another value");
            }
        }
    }

    private static String upper(String mode) {
        return mode.trim().toUpperCase(Locale.ROOT);
    }
}
