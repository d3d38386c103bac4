package dev.heddle.agent;

/** The kinds of clusters that a descriptor deploys. */
enum Mode {
    SESSION("session", "org.apache.flink.yarn.entrypoint.YarnSessionClusterEntrypoint", "session cluster"),
    APPLICATION("application", "org.apache.flink.yarn.entrypoint.YarnApplicationClusterEntryPoint", "application"),
    PER_JOB("per-job", "org.apache.flink.yarn.entrypoint.YarnJobClusterEntrypoint", "per-job cluster");

    /** The name in requests and in the agent's arguments. */
    final String word;

    /** The class in which Flink's own ApplicationMaster starts. */
    final String entrypoint;

    /** What is deployed, for people. */
    final String what;

    Mode(String word, String entrypoint, String what) {
        this.word = word;
        this.entrypoint = entrypoint;
        this.what = what;
    }

    /** The mode with this name, or null. */
    static Mode named(String word) {
        for (Mode mode : values()) {
            if (mode.word.equals(word)) {
                return mode;
            }
        }
        return null;
    }

    /**
     * The mode of a deployment.
     *
     * @param entrypoint the class that the caller wants the ApplicationMaster to start in
     * @param withJob whether the cluster gets a job at its start
     * @throws Left if the caller wants another class than one of Flink's own, which heddle would not start
     */
    static Mode of(String entrypoint, boolean withJob) throws Left {
        for (Mode mode : values()) {
            if (mode.entrypoint.equals(entrypoint) && (mode == PER_JOB) == withJob) {
                return mode;
            }
        }
        throw new Left("the entry point " + entrypoint + (withJob ? " with a job graph" : "") + " is not one of Flink's own");
    }
}
