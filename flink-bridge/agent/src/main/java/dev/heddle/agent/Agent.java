package dev.heddle.agent;

import java.io.File;
import java.lang.instrument.Instrumentation;
import java.lang.instrument.UnmodifiableClassException;
import java.net.URISyntaxException;
import java.security.CodeSource;

/** Where the JVM enters the agent. It keeps what the agent was told. A host never fails because of it. */
public final class Agent {
    private static volatile Options told = Options.parse(null);
    private static volatile boolean installed;

    private Agent() {}

    /** Called before the host's {@code main()}, if the JVM was started with {@code -javaagent}. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        start(arguments, instrumentation);
    }

    /** Called in a JVM that runs already, to which the agent is attached. */
    public static void agentmain(String arguments, Instrumentation instrumentation) {
        start(arguments, instrumentation);
    }

    /** What the agent was told, with the system properties as they are now. */
    static Options options() {
        return told.withProperties();
    }

    /** The agent's jar; null if it is not known. */
    static File jar() {
        try {
            CodeSource source = Agent.class.getProtectionDomain().getCodeSource();
            return source == null ? null : new File(source.getLocation().toURI());
        } catch (URISyntaxException | RuntimeException e) {
            return null;
        }
    }

    /** Writes a line when no logger of the host is known. */
    static void tell(String line) {
        System.err.println("heddle-agent: " + line);
    }

    private static void start(String arguments, Instrumentation instrumentation) {
        if (installed) {
            // Given twice, for example in JAVA_TOOL_OPTIONS and on the command line.
            return;
        }
        installed = true;
        try {
            Options options = Options.parse(arguments);
            options.complaints.forEach(Agent::tell);
            options.withProperties().complaints.forEach(Agent::tell);
            told = options;
            if (!options.disabled) {
                install(instrumentation);
            }
        } catch (Exception | LinkageError e) {
            tell("not in use, deployments go on as before: " + e);
        }
    }

    private static void install(Instrumentation instrumentation) throws ClassNotFoundException {
        // The changed classes find the hooks by the class loader that every JVM has.
        if (ClassLoader.getSystemClassLoader().loadClass(Hooks.class.getName()) != Hooks.class) {
            throw new ClassNotFoundException("the system class loader has another " + Hooks.class.getName());
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
}
