package org.apache.hadoop.yarn.api.records;

/** A stand-in with what the agent calls of it. */
public final class ApplicationReport {
    public final ApplicationId id;

    public ApplicationReport(ApplicationId id) {
        this.id = id;
    }
}
