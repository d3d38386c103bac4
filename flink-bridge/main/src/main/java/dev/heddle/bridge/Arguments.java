package dev.heddle.bridge;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The command line of the entrypoints: {@code [--configDir DIR] [-D key=value]... [--program FILE]}.
 * heddle-am starts the JVM without a shell, so every word is taken as it is, with its quotes.
 */
final class Arguments {
    /** The directory with Flink's configuration file. */
    final String configDir;
    /** The properties in their order; of several with the same key, the last one counts. */
    final Map<String, String> properties;
    /** The JSON file with the program's main class and arguments; null if the configuration names them. */
    final String program;

    private Arguments(String configDir, Map<String, String> properties, String program) {
        this.configDir = configDir;
        this.properties = Collections.unmodifiableMap(properties);
        this.program = program;
    }

    static Arguments parse(String... args) {
        String configDir = ".";
        String program = null;
        Map<String, String> properties = new LinkedHashMap<>();
        for (int i = 0; i < args.length; i++) {
            String arg = args[i];
            if (arg.equals("--configDir")) {
                configDir = value(args, ++i);
            } else if (arg.equals("--program")) {
                program = value(args, ++i);
            } else if (arg.startsWith("-D")) {
                String property = arg.length() > 2 ? arg.substring(2) : value(args, ++i);
                int equals = property.indexOf('=');
                if (equals <= 0) {
                    throw new IllegalArgumentException("-D needs key=value (argument " + (i + 1) + ")");
                }
                properties.put(property.substring(0, equals), property.substring(equals + 1));
            } else {
                throw new IllegalArgumentException("unknown argument " + (i + 1) + ": " + arg);
            }
        }
        return new Arguments(configDir, properties, program);
    }

    private static String value(String[] args, int index) {
        if (index >= args.length) {
            throw new IllegalArgumentException(args[index - 1] + " needs a value");
        }
        return args[index];
    }
}
