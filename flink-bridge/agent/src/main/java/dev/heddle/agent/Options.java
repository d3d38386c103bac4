package dev.heddle.agent;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What the agent was told, by its arguments or by system properties of the host, which win. */
final class Options {
    /** The prefix of the system properties, which otherwise have the names of the arguments. */
    static final String PROPERTIES = "heddle.agent.";

    /** The path of the program heddle; null if it is to be looked for. */
    final String heddle;

    /** Whether nothing is to go through heddle. */
    final boolean disabled;

    /** The modes that go through heddle. */
    final Set<Mode> modes;

    /** What of the arguments or properties is not understood, one statement each. */
    final List<String> complaints;

    private Options(String heddle, boolean disabled, Set<Mode> modes, List<String> complaints) {
        this.heddle = heddle;
        this.disabled = disabled;
        this.modes = modes;
        this.complaints = complaints;
    }

    /**
     * Parses the agent's arguments: {@code heddle=PATH}, {@code modes=MODE,MODE} and {@code disabled},
     * separated by commas, in any order.
     *
     * @param arguments what follows the jar's path in {@code -javaagent}, or null
     */
    static Options parse(String arguments) {
        String heddle = null;
        boolean disabled = false;
        Set<Mode> modes = null;
        List<String> complaints = new ArrayList<>();
        for (String word : arguments == null ? new String[0] : arguments.split(",")) {
            String text = word.trim();
            if (text.startsWith("heddle=")) {
                heddle = text.substring("heddle=".length());
            } else if (text.equals("disabled")) {
                disabled = true;
            } else if (text.startsWith("modes=") || modes != null && Mode.named(text) != null) {
                // What follows the first mode belongs to it, until another argument begins.
                modes = modes == null ? EnumSet.noneOf(Mode.class) : modes;
                addMode(modes, text.startsWith("modes=") ? text.substring("modes=".length()) : text, complaints);
            } else if (!text.isEmpty()) {
                complaints.add("the argument `" + text + "` is not known; heddle=PATH, modes=session,application,per-job"
                        + " and disabled are");
            }
        }
        return new Options(heddle, disabled, modes == null ? EnumSet.allOf(Mode.class) : modes, complaints);
    }

    /** These options as far as no system property says something else. */
    Options withProperties() {
        String path = System.getProperty(PROPERTIES + "heddle", heddle);
        String off = System.getProperty(PROPERTIES + "disabled");
        String only = System.getProperty(PROPERTIES + "modes");
        List<String> found = new ArrayList<>();
        Set<Mode> wanted = modes;
        if (only != null) {
            Set<Mode> named = EnumSet.noneOf(Mode.class);
            Arrays.stream(only.split(",")).map(String::trim).forEach(word -> addMode(named, word, found));
            wanted = named;
        }
        // `-Dheddle.agent.disabled` without a value switches it off, too.
        boolean without = off == null ? disabled : off.isEmpty() || Boolean.parseBoolean(off);
        return new Options(path, without, wanted, found);
    }

    private static void addMode(Set<Mode> modes, String word, List<String> complaints) {
        Mode mode = Mode.named(word);
        if (mode != null) {
            modes.add(mode);
        } else if (!word.isEmpty()) {
            complaints.add("`" + word + "` is no mode; session, application and per-job are");
        }
    }
}
