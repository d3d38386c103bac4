/** Fails before there is a job. With an argument the message has a password, and characters that steer terminals. */
public final class ThrowInMain {
    public static void main(String[] args) {
        System.out.println("main: before");
        String more = " \33]0;owned\7\33[2J at jdbc:x://ann:canary-thrown@h/db with --password canary-thrown";
        throw new IllegalStateException("heddle-test: thrown in main" + (args.length == 0 ? "" : more));
    }
}
