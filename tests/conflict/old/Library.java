package heddle.conflict;

/** An older release of the library, without the method. */
public final class Library {
    private Library() {}
}
