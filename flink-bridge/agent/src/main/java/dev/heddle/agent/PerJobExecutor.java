package dev.heddle.agent;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * What runs jobs on per-job clusters in Flink 2.x, which has taken out its own: SQL, PyFlink and every other
 * program reach it by {@code execution.target: yarn-per-job}.
 */
final class PerJobExecutor {
    /** The target in Flink's configuration. */
    static final String TARGET = "yarn-per-job";

    private static final String CORE = "org.apache.flink.core.execution.";
    private static final String FACTORY = CORE + "PipelineExecutorFactory";
    private static final String EXECUTOR = CORE + "PipelineExecutor";
    private static final String UTILS = "org.apache.flink.client.deployment.executors.PipelineExecutorUtils";

    private PerJobExecutor() {}

    /**
     * The factory for a configuration; null if Flink is to look for one itself. It never fails.
     *
     * @param loader the class loader that has Flink
     */
    static Object factory(ClassLoader loader, Object configuration) {
        try {
            if (!TARGET.equalsIgnoreCase(settings(configuration).get("execution.target")) || !isWanted(loader)) {
                return null;
            }
            Options options = Agent.options();
            if (options.disabled || !options.modes.contains(Mode.PER_JOB)) {
                return null;
            }
            return proxy(loader, FACTORY, (proxy, method, arguments) -> ofFactory(loader, method.getName()));
        } catch (Exception | LinkageError e) {
            HostLog.of(loader).warn("The target " + TARGET + " is left to Flink: " + e);
            return null;
        }
    }

    /**
     * Whether this Flink is one that makes stream graphs and has no per-job clusters, but clients of YARN.
     */
    private static boolean isWanted(ClassLoader loader) throws ClassNotFoundException {
        if (isThere(loader, "org.apache.flink.yarn.executors.YarnJobClusterExecutorFactory")
                || !isThere(loader, "org.apache.flink.yarn.YarnClusterClientFactory")) {
            return false;
        }
        for (Method each : Class.forName(UTILS, false, loader).getMethods()) {
            if (each.getName().equals("getStreamGraph")) {
                return true;
            }
        }
        return false;
    }

    private static boolean isThere(ClassLoader loader, String name) {
        try {
            Class.forName(name, false, loader);
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    private static Object ofFactory(ClassLoader loader, String method) throws ClassNotFoundException {
        switch (method) {
            case "getName":
                return TARGET;
            case "isCompatibleWith":
                return true;
            case "getExecutor":
                return proxy(loader, EXECUTOR, (proxy, called, arguments) -> execute(loader, arguments));
            default:
                throw new UnsupportedOperationException(method);
        }
    }

    /** Does what Flink 1.x does for such a job: deploys a cluster for it, and returns its client. */
    private static Object execute(ClassLoader loader, Object[] arguments) throws Exception {
        Object pipeline = arguments[0];
        Object configuration = arguments[1];
        Object graph = Reflect.callStatic(Class.forName(UTILS, true, loader), "getStreamGraph", pipeline, configuration);
        Object factory = Reflect.make(Class.forName("org.apache.flink.yarn.YarnClusterClientFactory", true, loader));
        Object descriptor = Reflect.call(factory, "createClusterDescriptor", configuration);
        try {
            Object specification = Reflect.call(factory, "getClusterSpecification", configuration);
            boolean detached = !"true".equalsIgnoreCase(settings(configuration).get("execution.attached"));
            Reflect.call(graph, "serializeUserDefinedInstances");
            Object provider;
            try {
                provider =
                        Deployment.deploy(
                                descriptor,
                                Mode.PER_JOB,
                                specification,
                                "Flink per-job cluster",
                                graph,
                                detached,
                                Agent.options(),
                                Agent.jar());
            } catch (Left e) {
                throw new IllegalStateException(
                        "this release of Flink has no " + TARGET + " of its own, and heddle does not deploy it: " + e.getMessage(), e);
            } catch (Exception e) {
                // As in Flink 1.x, where the descriptor's own method wraps it.
                Class<?> type = Class.forName("org.apache.flink.client.deployment.ClusterDeploymentException", true, loader);
                throw (Exception) Reflect.make(type, "Could not deploy Yarn job cluster.", e);
            }
            Object job = Reflect.call(graph, "getJobID");
            HostLog.of(loader).info("Job has been submitted with JobID " + job);
            tellListeners(loader, pipeline, configuration, graph);
            Class<?> adapter = Class.forName("org.apache.flink.client.deployment.ClusterClientJobClientAdapter", true, loader);
            return CompletableFuture.completedFuture(Reflect.make(adapter, provider, job, arguments[2]));
        } finally {
            Reflect.call(descriptor, "close");
        }
    }

    /**
     * Whoever wants to know of jobs, such as collectors of lineage, learns of this one as of those on
     * sessions.
     */
    private static void tellListeners(ClassLoader loader, Object pipeline, Object configuration, Object graph) {
        try {
            Executor here = Runnable::run;
            Class<?> listeners = Class.forName(CORE + "JobStatusChangedListenerUtils", true, loader);
            ClassLoader context = Thread.currentThread().getContextClassLoader();
            Object list =
                    Reflect.callStatic(listeners, "createJobStatusChangedListeners", context == null ? loader : context, configuration, here);
            if (!((List<?>) list).isEmpty()) {
                Reflect.callStatic(Class.forName(UTILS, true, loader), "notifyJobStatusListeners", pipeline, graph, list);
            }
        } catch (Exception | LinkageError e) {
            HostLog.of(loader).warn("The listeners of jobs have not learned of this one: " + e);
        }
    }

    @SuppressWarnings("unchecked")
    private static Map<String, String> settings(Object configuration) throws Exception {
        return (Map<String, String>) Reflect.call(configuration, "toMap");
    }

    /** An object of one interface of Flink's, in the class loader of which it is. */
    private static Object proxy(ClassLoader loader, String name, InvocationHandler calls) throws ClassNotFoundException {
        Class<?> type = Class.forName(name, false, loader);
        InvocationHandler handler =
                (proxy, method, arguments) -> {
                    switch (method.getName()) {
                        case "equals":
                            return proxy == arguments[0];
                        case "hashCode":
                            return System.identityHashCode(proxy);
                        case "toString":
                            return TARGET + " by heddle";
                        default:
                            return calls.invoke(proxy, method, arguments);
                    }
                };
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler);
    }
}
