package dev.heddle.agent;

import java.lang.reflect.Method;

/**
 * Where the host's log lines go, as far as that is known: to SLF4J if Flink's class loader has it, else to
 * {@code java.util.logging}, else to the standard error stream. A logger that fails costs the line, and
 * nothing more.
 */
abstract class HostLog {
    /** The name of the logger. */
    static final String NAME = "dev.heddle.agent";

    /** The log of whoever has loaded Flink by this class loader. */
    static HostLog of(ClassLoader loader) {
        return of(loader, NAME);
    }

    /** The log with another name. */
    static HostLog of(ClassLoader loader, String name) {
        try {
            return new Slf4j(loader, name);
        } catch (ReflectiveOperationException | LinkageError | RuntimeException e) {
            try {
                return new Jul(name);
            } catch (LinkageError without) {
                return new StandardError();
            }
        }
    }

    /**
     * Writes a line.
     *
     * @param level {@code info}, {@code warn} or {@code error}
     */
    abstract void write(String level, String line) throws Exception;

    final void info(String line) {
        log("info", line);
    }

    final void warn(String line) {
        log("warn", line);
    }

    /** Writes a line of the program heddle, whose first word says how bad it is. */
    final void relay(String line) {
        if (line.startsWith("error: ")) {
            log("error", line.substring("error: ".length()));
        } else if (line.startsWith("warning: ")) {
            log("warn", line.substring("warning: ".length()));
        } else {
            log("info", line);
        }
    }

    private void log(String level, String line) {
        try {
            write(level, line);
        } catch (Exception | LinkageError e) {
            System.err.println(line);
        }
    }

    private static final class Slf4j extends HostLog {
        private final Object logger;
        private final Class<?> type;

        Slf4j(ClassLoader loader, String name) throws ReflectiveOperationException {
            Class<?> factory = Class.forName("org.slf4j.LoggerFactory", true, loader);
            type = Class.forName("org.slf4j.Logger", false, factory.getClassLoader());
            logger = factory.getMethod("getLogger", String.class).invoke(null, name);
        }

        @Override
        void write(String level, String line) throws Exception {
            // The interface's method: the class of the logger may not be public.
            Method method = type.getMethod(level, String.class);
            method.invoke(logger, line);
        }
    }

    /** In a class of its own, as a runtime need not have the module of this logger. */
    private static final class Jul extends HostLog {
        private final java.util.logging.Logger logger;

        Jul(String name) {
            logger = java.util.logging.Logger.getLogger(name);
        }

        @Override
        void write(String level, String line) {
            switch (level) {
                case "error":
                    logger.severe(line);
                    break;
                case "warn":
                    logger.warning(line);
                    break;
                default:
                    logger.info(line);
            }
        }
    }

    private static final class StandardError extends HostLog {
        @Override
        void write(String level, String line) {
            System.err.println(line);
        }
    }
}
