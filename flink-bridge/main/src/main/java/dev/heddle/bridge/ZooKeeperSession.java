package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.runtime.entrypoint.ClusterEntrypoint;
import org.apache.flink.runtime.jobmanager.HighAvailabilityMode;

import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.ZooKeeper;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The session that a JobManager has with ZooKeeper. Its leadership, and its locks on jobs and checkpoints, belong to the session and
 * last until it ends, which is 40 to 60 s after the JobManager has died. Who knows the session can end it at once: ZooKeeper lets a
 * client go on with the session of another one if it knows the id and the password, and such a client may close it. That also takes
 * leadership away from a JobManager that is only cut off from us.
 *
 * <p>So heddle-am is told of the session, keeps it, and hands it to the next JobManager, which ends it before Flink starts.
 */
final class ZooKeeperSession {
    private static final Logger LOG = LoggerFactory.getLogger(ZooKeeperSession.class);
    /** Between looks for the session, ms: at first, and once it is known. A session that was lost has another one as successor. */
    private static final long FIRST_LOOKS_MS = 200;

    private static final long LOOKS_MS = 3_000;
    /**
     * For ZooKeeper to take us for the dead JobManager, ms: long enough for one that restarts. To wait costs nothing, because without an
     * answer Flink could not lead either.
     */
    static final long ATTACH_TIMEOUT_MS = 20_000;
    /** What we ask for as the timeout of the session, ms. ZooKeeper's client tries each server for a part of it. */
    private static final int SESSION_TIMEOUT_MS = 10_000;

    private static final String BY_ITSELF = "ZooKeeper will end it by itself, after high-availability.zookeeper.client.session-timeout";

    final long id;
    /** Never shown: with it anybody could end the session. */
    final byte[] password;

    ZooKeeperSession(long id, byte[] password) {
        this.id = id;
        this.password = password;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ZooKeeperSession
                && ((ZooKeeperSession) other).id == id
                && Arrays.equals(((ZooKeeperSession) other).password, password);
    }

    @Override
    public int hashCode() {
        return Long.hashCode(id);
    }

    @Override
    public String toString() {
        return "0x" + Long.toHexString(id);
    }

    /** Whether ZooKeeper says who leads. */
    static boolean isUsed(Configuration configuration) {
        return HighAvailabilityMode.fromConfig(configuration) == HighAvailabilityMode.ZOOKEEPER;
    }

    /** Tells heddle-am of the session of this process, now and whenever it is another one. */
    static void report(ClusterEntrypoint cluster, Configuration configuration, AmLink link) {
        if (isUsed(configuration)) {
            Thread thread = new Thread(() -> reportChanges(cluster, link), "heddle-zookeeper-session");
            thread.setDaemon(true);
            thread.start();
        }
    }

    private static void reportChanges(ClusterEntrypoint cluster, AmLink link) {
        ZooKeeperSession told = null;
        try {
            while (true) {
                ZooKeeperSession now = current(cluster);
                if (now != null && !now.equals(told)) {
                    link.send(BridgeMessages.zookeeperSession(now));
                    told = now;
                }
                Thread.sleep(told == null ? FIRST_LOOKS_MS : LOOKS_MS);
            }
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.warn(
                    "The session with ZooKeeper cannot be learned in this release of Flink. After a failure of the JobManager {}.",
                    BY_ITSELF,
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * The session of this process; null as long as there is none.
     *
     * <p>Flink does not show its ZooKeeper client: it is a field of the high-availability services, under another name and behind another
     * wrapper in each release, and Curator is relocated to another package. Hence the reflection.
     */
    private static ZooKeeperSession current(ClusterEntrypoint cluster) throws ReflectiveOperationException {
        Field field = ClusterEntrypoint.class.getDeclaredField("haServices");
        field.setAccessible(true);
        Object services = field.get(cluster);
        if (services == null) {
            return null;
        }
        Object curator = curator(services);
        Object client = call(curator, "getZookeeperClient");
        if (!(Boolean) call(client, "isConnected")) {
            return null;
        }
        ZooKeeper zookeeper = (ZooKeeper) call(client, "getZooKeeper");
        long id = zookeeper.getSessionId();
        return id == 0 ? null : new ZooKeeperSession(id, zookeeper.getSessionPasswd());
    }

    private static Object curator(Object services) throws ReflectiveOperationException {
        for (Class<?> type = services.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                boolean wrapped = has(field.getType(), "asCuratorFramework");
                if (wrapped || has(field.getType(), "getZookeeperClient")) {
                    field.setAccessible(true);
                    Object found = field.get(services);
                    return wrapped ? call(found, "asCuratorFramework") : found;
                }
            }
        }
        throw new NoSuchFieldException(services.getClass().getName() + " has no client of ZooKeeper");
    }

    private static boolean has(Class<?> type, String method) {
        return Arrays.stream(type.getMethods()).anyMatch(m -> m.getName().equals(method));
    }

    private static Object call(Object target, String name) throws ReflectiveOperationException {
        Method method = target.getClass().getMethod(name);
        // The class that implements it may not be public.
        method.setAccessible(true);
        try {
            return method.invoke(target);
        } catch (InvocationTargetException e) {
            throw new ReflectiveOperationException(name + " failed: " + e.getCause(), e.getCause());
        }
    }

    /**
     * Whether ZooKeeper has said what has become of the session. After all other events its client goes on: it tries the next server, or
     * does without SASL ({@code AuthFailed}).
     */
    static boolean isAnswer(KeeperState state) {
        return state == KeeperState.SyncConnected || state == KeeperState.Expired;
    }

    /** Ends this session of a JobManager that is gone. What fails is told in the log: then ZooKeeper ends it later. */
    void end(Configuration configuration) {
        String quorum = configuration.get(HighAvailabilityOptions.HA_ZOOKEEPER_QUORUM);
        long start = System.nanoTime();
        CompletableFuture<KeeperState> attached = new CompletableFuture<>();
        try {
            ZooKeeper zookeeper =
                    new ZooKeeper(
                            quorum,
                            SESSION_TIMEOUT_MS,
                            event -> {
                                if (isAnswer(event.getState())) {
                                    attached.complete(event.getState());
                                }
                            },
                            id,
                            password);
            try {
                KeeperState state = attached.get(ATTACH_TIMEOUT_MS, TimeUnit.MILLISECONDS);
                if (state == KeeperState.SyncConnected) {
                    zookeeper.close();
                    long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
                    LOG.info("Ended the ZooKeeper session {} of the JobManager before this one, in {} ms.", this, ms);
                } else {
                    LOG.info("The ZooKeeper session {} of the JobManager before this one is over: {}.", this, state);
                    zookeeper.close();
                }
            } catch (TimeoutException e) {
                zookeeper.close();
                LOG.warn(
                        "The ZooKeeper session {} of the JobManager before this one could not be ended: ZooKeeper at {} did not"
                                + " answer within {} ms. {}.",
                        this,
                        quorum,
                        ATTACH_TIMEOUT_MS,
                        BY_ITSELF);
            }
        } catch (IOException | ExecutionException | RuntimeException e) {
            LOG.warn(
                    "The ZooKeeper session {} of the JobManager before this one could not be ended: {}. {}.",
                    this,
                    e,
                    BY_ITSELF);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
