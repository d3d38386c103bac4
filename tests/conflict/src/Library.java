package heddle.conflict;

/** The newer release of a library. */
public final class Library {
    public static String greeting(String name) {
        return "Hello " + name;
    }

    private Library() {}
}
