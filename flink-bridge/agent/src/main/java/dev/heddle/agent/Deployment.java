package dev.heddle.agent;

import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** One deployment by heddle, from the call of a descriptor to what it returns. */
final class Deployment {
    /** How long heddle may need to end, in seconds, when it has nothing more to do. */
    private static final long END_SECONDS = 30;

    private final Descriptor descriptor;
    private final Mode mode;
    private final HostLog log;

    private Deployment(Descriptor descriptor, Mode mode, HostLog log) {
        this.descriptor = descriptor;
        this.mode = mode;
        this.log = log;
    }

    /**
     * Deploys a cluster, and returns the provider of its clients.
     *
     * @param target a {@code YarnClusterDescriptor}
     * @param specification the sizes that the caller asks for, a {@code ClusterSpecification}
     * @param name the application's name, unless the configuration has one
     * @param graph the job of a per-job cluster, else null
     * @param detached whether the caller does not wait for the result of that job
     * @throws Left if heddle does not deploy it; then nothing was submitted to YARN
     * @throws Exception Flink's own exception, if heddle has tried and failed. It must not be tried in
     *     another way, because the application may run.
     */
    static Object deploy(
            Object target,
            Mode mode,
            Object specification,
            String name,
            Object graph,
            boolean detached,
            Options options,
            File agent)
            throws Exception {
        if (options.disabled) {
            throw new Left("the agent is switched off");
        }
        if (!options.modes.contains(mode)) {
            throw new Left("the agent is switched off for this mode (modes)");
        }
        File program = Program.find(options.heddle, agent, System.getenv());
        Descriptor descriptor;
        try {
            descriptor = Descriptor.of(target);
        } catch (ReflectiveOperationException | LinkageError e) {
            throw new Left("this descriptor is not as the agent knows it: " + e);
        }
        HostLog log = HostLog.of(descriptor.loader);
        Deployment deployment = new Deployment(descriptor, mode, log);
        HeddleProcess process = deployment.start(program, target, specification, name, graph, detached);
        boolean done = false;
        try {
            Answer answer = deployment.await(process);
            Object provider = deployment.finish(process, answer.application(), graph, detached);
            done = true;
            return provider;
        } finally {
            // Also if the caller was interrupted: then heddle undoes what it has begun.
            if (!done) {
                process.giveUp();
            }
        }
    }

    /** Starts the program. Whatever fails until then is a reason to go on as before. */
    private HeddleProcess start(
            File program, Object target, Object specification, String name, Object graph, boolean detached)
            throws Exception {
        PrivateDirectory directory;
        try {
            directory = PrivateDirectory.make();
        } catch (IOException | SecurityException e) {
            throw unprepared(e);
        }
        HeddleProcess process = null;
        try {
            Owner owner = Owner.of(target);
            ProcessBuilder builder =
                    Preparation.prepare(
                            descriptor, mode, owner, program, directory, specification, name, graph, detached, log);
            log.info("heddle deploys this " + mode.what + " as " + owner.user + ", by " + program + ".");
            process = HeddleProcess.start(builder, directory, log);
            return process;
        } catch (IOException e) {
            throw unprepared(e);
        } catch (Left | InterruptedException e) {
            throw e;
        } catch (Exception | LinkageError e) {
            throw new Left("what is to be deployed cannot be read: " + e);
        } finally {
            if (process == null) {
                directory.delete();
            }
        }
    }

    private static Left unprepared(Exception e) {
        return new Left("heddle cannot be started: " + e);
    }

    private Answer await(HeddleProcess process) throws Exception {
        Answer answer;
        try {
            String line = process.awaitAnswer();
            if (line == null && process.neverRan()) {
                throw new Left("the program cannot be run: " + process.end());
            }
            if (line == null) {
                throw descriptor.failure(process.end(), null);
            }
            answer = Answer.parse(line);
        } catch (IOException e) {
            throw descriptor.failure("the answer of heddle is not understood: heddle and its agent must be of one release", e);
        }
        if (answer.unsupported()) {
            throw new Left("heddle cannot: " + answer.message());
        }
        if (answer.failed()) {
            throw descriptor.failure(answer.text(), null);
        }
        if (answer.application() == null) {
            throw descriptor.failure("heddle has answered without the id of an application", null);
        }
        return answer;
    }

    /** Does what the descriptor does after a deployment of its own. */
    private Object finish(HeddleProcess process, String application, Object graph, boolean detached) throws Exception {
        Object id = null;
        AttachedJob job = null;
        try {
            id = descriptor.applicationId(application);
            descriptor.adopt(id);
            if (mode == Mode.PER_JOB) {
                submit(id, graph);
                job = detached ? null : AttachedJob.start(descriptor, id, Reflect.call(graph, "getJobID"), process, log);
            }
            Object provider = Clients.provider(descriptor, id, job);
            if (job == null) {
                process.finish(0);
                process.awaitEnd(END_SECONDS);
            }
            descriptor.flinkLog().info("YARN application has been deployed successfully.");
            log.info("heddle has deployed " + application + ", a " + mode.what + ".");
            if (detached) {
                descriptor.tellDetached(id);
            }
            return provider;
        } catch (InterruptedException e) {
            undo(process, id, false);
            throw e;
        } catch (Exception | LinkageError e) {
            undo(process, id, true);
            String what = mode == Mode.PER_JOB ? "did not get its job" : "cannot be used";
            throw descriptor.failure(application + " was deployed by heddle, but " + what + ", and is killed: " + e, e);
        }
    }

    /**
     * Nobody learns of the cluster, so it is not to stay.
     *
     * @param waits whether heddle is given the time to end by itself, as it does when it has heard that the
     *     program has failed
     */
    private void undo(HeddleProcess process, Object id, boolean waits) {
        process.finish(1);
        // Hadoop's client does not answer a thread that is interrupted.
        boolean interrupted = Thread.interrupted();
        try {
            kill(id);
            if (waits && !interrupted) {
                process.awaitEnd(END_SECONDS);
            }
        } catch (InterruptedException e) {
            interrupted = true;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void kill(Object id) throws InterruptedException {
        try {
            if (id != null) {
                descriptor.kill(id);
            }
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception | LinkageError e) {
            log.warn("The application " + id + " cannot be killed: " + e);
        }
    }

    private void submit(Object id, Object graph) throws Exception {
        List<?> jars = (List<?>) Reflect.call(graph, "getUserJars");
        // Flink's client can only upload jars of this machine. Others are on the class path of the cluster,
        // as with Flink's own per-job clusters, so the job need not name them.
        List<Object> all = new ArrayList<>(jars);
        if (all.stream().anyMatch(Deployment::isRemote)) {
            jars.removeIf(Deployment::isRemote);
        }
        Object client = descriptor.client(id);
        try {
            ((Future<?>) Reflect.call(client, "submitJob", graph)).get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        } finally {
            restore(jars, all);
            Reflect.call(client, "close");
        }
    }

    private static boolean isRemote(Object jar) {
        return FlinkHome.local(jar.toString()) == null;
    }

    @SuppressWarnings("unchecked")
    private static void restore(List<?> jars, List<Object> all) {
        if (jars.size() != all.size()) {
            jars.clear();
            ((List<Object>) jars).addAll(all);
        }
    }
}
