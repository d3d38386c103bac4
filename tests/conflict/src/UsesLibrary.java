import heddle.conflict.Library;

/** Calls a method that only the newer release of a library has. */
public final class UsesLibrary {
    public static void main(String[] args) {
        System.out.println(Library.greeting("heddle-test"));
        throw new IllegalStateException("the newer release of the library was used");
    }
}
