/** Fails before there is a job. */
public final class ThrowInMain {
    public static void main(String[] args) {
        System.out.println("main: before");
        throw new IllegalStateException("heddle-test: thrown in main");
    }
}
