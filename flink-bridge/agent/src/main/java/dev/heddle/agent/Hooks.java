package dev.heddle.agent;

import java.util.function.Function;

/**
 * What the changed classes of Flink call. They find this class by its name, make an object of it, and give it
 * the name of the hook, the object whose method it is, and the arguments of the method.
 */
public final class Hooks implements Function<Object[], Object> {
    /** At the end of the constructor of {@code YarnClusterDescriptor}. The result has no meaning. */
    static final String CONSTRUCTED = "constructed";

    /**
     * At the beginning of {@code YarnClusterDescriptor.deployInternal}. The result is what the method is to
     * return, or null if it is to go on. What is thrown is Flink's own exception: heddle has tried to deploy
     * the cluster and has failed.
     */
    static final String DEPLOY = "deploy";

    /**
     * At the beginning of {@code DefaultExecutorServiceLoader.getExecutorFactory}. The result is a factory
     * for per-job clusters, if the configuration asks for one and this release of Flink has none of its own;
     * null if the method is to go on.
     */
    static final String EXECUTORS = "executors";

    @Override
    public Object apply(Object[] call) {
        Object self = call[1];
        switch ((String) call[0]) {
            case CONSTRUCTED:
                Owner.note(self);
                return null;
            case EXECUTORS:
                return PerJobExecutor.factory(self.getClass().getClassLoader(), call[2]);
            default:
                return deploy(self, call[2], (String) call[3], (String) call[4], call[5], (Boolean) call[6]);
        }
    }

    private static Object deploy(
            Object descriptor, Object specification, String name, String entrypoint, Object graph, boolean detached) {
        try {
            Mode mode = Mode.of(entrypoint, graph != null);
            return Deployment.deploy(descriptor, mode, specification, name, graph, detached, Agent.options(), Agent.jar());
        } catch (Left e) {
            HostLog.of(descriptor.getClass().getClassLoader())
                    .info("Flink's own client deploys this cluster, and not heddle: " + e.getMessage() + ".");
            return null;
        } catch (Exception e) {
            throw Hooks.<RuntimeException>unchecked(e);
        }
    }

    /** Throws an exception as it is. The changed method may throw every exception. */
    @SuppressWarnings("unchecked")
    private static <T extends Exception> T unchecked(Exception e) throws T {
        throw (T) e;
    }
}
