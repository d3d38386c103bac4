package org.apache.hadoop.yarn.client.api;

import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;

/** A stand-in with what the agent calls of it. */
public class YarnClient {
    /** The application that was killed last. */
    public ApplicationId killed;

    public ApplicationReport getApplicationReport(ApplicationId id) {
        return new ApplicationReport(id);
    }

    public void killApplication(ApplicationId id) {
        killed = id;
    }
}
