package org.apache.flink.api.common;

/** A stand-in with what the agent calls of it. */
public enum JobStatus {
    FINISHED,
    FAILED
}
