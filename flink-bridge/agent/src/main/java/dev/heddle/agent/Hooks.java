package dev.heddle.agent;

/** What the changed classes of Flink call. Its methods are found by their names and descriptors. */
public final class Hooks {
    private Hooks() {}

    /**
     * Called at the end of the constructor of {@code YarnClusterDescriptor}.
     *
     * @param descriptor the new object
     */
    public static void constructed(Object descriptor) {
        Owner.note(descriptor);
    }

    /**
     * Called at the beginning of {@code YarnClusterDescriptor.deployInternal}, with the same arguments.
     *
     * @param descriptor the object whose method it is
     * @return what the method is to return, a {@code ClusterClientProvider}; null if it is to go on
     * @throws Exception Flink's own exception, if heddle has tried to deploy the cluster and has failed
     */
    public static Object deploy(
            Object descriptor, Object specification, String name, String entrypoint, Object graph, boolean detached)
            throws Exception {
        try {
            Mode mode = Mode.of(entrypoint, graph != null);
            return Deployment.deploy(
                    descriptor, mode, specification, name, graph, detached, Installer.options(), Installer.agent());
        } catch (Left e) {
            HostLog.of(descriptor.getClass().getClassLoader())
                    .info("Flink's own client deploys this cluster, and not heddle: " + e.getMessage() + ".");
            return null;
        }
    }

    /**
     * Called at the beginning of {@code DefaultExecutorServiceLoader.getExecutorFactory}.
     *
     * @param loader the object whose method it is
     * @param configuration the configuration of a job that is to be run
     * @return a {@code PipelineExecutorFactory} for per-job clusters, if the configuration asks for one and
     *     this release of Flink has none of its own; null if the method is to go on
     */
    public static Object executorFactory(Object loader, Object configuration) {
        return PerJobExecutor.factory(loader.getClass().getClassLoader(), configuration);
    }
}
