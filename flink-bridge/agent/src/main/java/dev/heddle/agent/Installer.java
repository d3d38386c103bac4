package dev.heddle.agent;

import java.io.File;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;

/** Begins the work of the agent in a JVM, and keeps what it was told. */
public final class Installer {
    private static volatile Options told = Options.parse(null);
    private static volatile File jar;

    private Installer() {}

    /**
     * Installs the agent.
     *
     * @param arguments the agent's arguments, or null
     * @param agent the agent's jar
     */
    public static void install(String arguments, File agent, Instrumentation instrumentation) {
        if (jar != null) {
            // Given twice, for example in JAVA_TOOL_OPTIONS and on the command line.
            return;
        }
        Options options = Options.parse(arguments);
        options.complaints.forEach(Installer::tell);
        options.withProperties().complaints.forEach(Installer::tell);
        told = options;
        jar = agent;
        if (options.disabled) {
            return;
        }
        Thread end = new Thread(HeddleProcess::endAll, "heddle-end");
        end.setContextClassLoader(null);
        Runtime.getRuntime().addShutdownHook(end);
        instrumentation.addTransformer(new Transformer(), true);
        // Only if the agent is attached to a JVM that runs already: before main() none of them is there.
        for (Class<?> loaded : instrumentation.getAllLoadedClasses()) {
            if (Transformer.isWanted(loaded.getName().replace('.', '/')) && instrumentation.isModifiableClass(loaded)) {
                try {
                    instrumentation.retransformClasses(loaded);
                } catch (UnmodifiableClassException | LinkageError e) {
                    tell(loaded.getName() + " stays as it is: " + e);
                }
            }
        }
    }

    /** What the agent was told, with the system properties as they are now. */
    static Options options() {
        return told.withProperties();
    }

    /** The agent's jar; null if the agent was not installed. */
    static File agent() {
        return jar;
    }

    /** Writes a line when no logger of the host is known. */
    static void tell(String line) {
        System.err.println("heddle-agent: " + line);
    }
}
