package dev.heddle.bridge;

/** {@link ApplicationEntrypoint} on Flink 1.13. */
public final class ApplicationEntrypoint113 {
    private ApplicationEntrypoint113() {}

    /** Arguments: see {@link Arguments}. */
    public static void main(String[] args) {
        ApplicationEntrypoint.run(new Flink113(), args);
    }
}
