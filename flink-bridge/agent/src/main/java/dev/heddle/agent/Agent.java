package dev.heddle.agent;

import java.io.File;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.InvocationTargetException;
import java.util.jar.JarFile;

/**
 * Where the JVM enters the agent. This class alone is loaded from the application's class path. It puts the
 * jar on the bootstrap class path, and begins the work with the classes from there. A host never fails
 * because of it.
 */
public final class Agent {
    private Agent() {}

    /** Called before the host's {@code main()}, if the JVM was started with {@code -javaagent}. */
    public static void premain(String arguments, Instrumentation instrumentation) {
        start(arguments, instrumentation);
    }

    /** Called in a JVM that runs already, to which the agent is attached. */
    public static void agentmain(String arguments, Instrumentation instrumentation) {
        start(arguments, instrumentation);
    }

    private static void start(String arguments, Instrumentation instrumentation) {
        try {
            File jar = new File(Agent.class.getProtectionDomain().getCodeSource().getLocation().toURI());
            // Open for as long as the JVM lives, as class loading needs it.
            instrumentation.appendToBootstrapClassLoaderSearch(new JarFile(jar));
            Class.forName("dev.heddle.agent.Installer", true, null)
                    .getMethod("install", String.class, File.class, Instrumentation.class)
                    .invoke(null, arguments, jar, instrumentation);
        } catch (Exception | LinkageError e) {
            Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
            System.err.println("heddle-agent: not in use, deployments go on as before: " + cause);
        }
    }
}
