package org.apache.flink.api.common;

/** A stand-in with what the agent calls of it. */
public final class JobID {
    @Override
    public String toString() {
        return "00000000000000000000000000000001";
    }
}
