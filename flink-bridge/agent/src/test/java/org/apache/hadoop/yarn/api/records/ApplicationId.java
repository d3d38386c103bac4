package org.apache.hadoop.yarn.api.records;

/** A stand-in with what the agent calls of it. */
public final class ApplicationId {
    private final String text;

    private ApplicationId(String text) {
        this.text = text;
    }

    public static ApplicationId newInstance(long cluster, int number) {
        return new ApplicationId("application_" + cluster + "_" + number);
    }

    @Override
    public String toString() {
        return text;
    }
}
