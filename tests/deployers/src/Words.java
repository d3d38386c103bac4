import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A command line of pairs {@code --name value}. {@code --words FILE} stands for more of them, one word on a line: what is
 * in that file is not in the list of processes.
 */
final class Words {
    private final Map<String, List<String>> values = new HashMap<>();

    Words(String[] args) throws IOException {
        read(Arrays.asList(args));
    }

    private void read(List<String> words) throws IOException {
        if (words.size() % 2 != 0) {
            throw new IllegalArgumentException("pairs of --name value are wanted: " + words.get(words.size() - 1));
        }
        for (int i = 0; i < words.size(); i += 2) {
            String name = words.get(i);
            if (!name.startsWith("--")) {
                throw new IllegalArgumentException(name + " is no option");
            }
            if (name.equals("--words")) {
                read(Files.readAllLines(Paths.get(words.get(i + 1)), StandardCharsets.UTF_8));
            } else {
                values.computeIfAbsent(name.substring(2), key -> new ArrayList<>()).add(words.get(i + 1));
            }
        }
    }

    /** All values of an option, in order. */
    List<String> all(String name) {
        return values.getOrDefault(name, new ArrayList<>());
    }

    /** The last value of an option, or null. */
    String get(String name) {
        List<String> found = all(name);
        return found.isEmpty() ? null : found.get(found.size() - 1);
    }

    String get(String name, String otherwise) {
        String found = get(name);
        return found == null ? otherwise : found;
    }

    String needed(String name) {
        String found = get(name);
        if (found == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return found;
    }

    int number(String name, int otherwise) {
        String found = get(name);
        return found == null ? otherwise : Integer.parseInt(found);
    }

    boolean is(String name) {
        return Boolean.parseBoolean(get(name));
    }

    /** The values of an option that have the form {@code key=value}, in order. */
    Map<String, String> pairs(String name) {
        Map<String, String> found = new LinkedHashMap<>();
        for (String pair : all(name)) {
            int equals = pair.indexOf('=');
            found.put(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return found;
    }
}
