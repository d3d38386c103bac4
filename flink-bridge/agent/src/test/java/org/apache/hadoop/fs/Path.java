package org.apache.hadoop.fs;

/** A stand-in with what the agent calls of it. */
public final class Path {
    private final String path;

    public Path(String path) {
        this.path = path;
    }

    @Override
    public String toString() {
        return path;
    }
}
