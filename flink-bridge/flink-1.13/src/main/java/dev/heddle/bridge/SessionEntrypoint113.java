package dev.heddle.bridge;

/** {@link SessionEntrypoint} on Flink 1.13. */
public final class SessionEntrypoint113 {
    private SessionEntrypoint113() {}

    /** Arguments: see {@link Arguments}. */
    public static void main(String[] args) {
        SessionEntrypoint.run(new Flink113(), args);
    }
}
