/** Ends its JVM with {@code --code} (0) after {@code --before} (0) seconds, without a job. */
public final class Exits {
    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        Thread.sleep(options.number("before", 0) * 1000);
        System.exit((int) options.number("code", 0));
    }
}
