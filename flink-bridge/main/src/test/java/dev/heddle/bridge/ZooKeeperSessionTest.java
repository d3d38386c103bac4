package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.HighAvailabilityOptions;

import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.Version;
import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/** Against a real ZooKeeper in this process; a second "server" of the ensemble closes each connection at once. */
@Timeout(120)
class ZooKeeperSessionTest {
    private static final int SESSION_MS = 60_000;
    private static final int PASSWORD_LENGTH = 16;

    @TempDir Path directory;

    private ZooKeeperServer server;
    private ServerCnxnFactory connections;
    private ServerSocket broken;
    private final AtomicInteger refused = new AtomicInteger();

    @BeforeEach
    void start() throws Exception {
        double java = Double.parseDouble(System.getProperty("java.specification.version"));
        assumeFalse(
                Version.getVersion().startsWith("3.4.") && java >= 14,
                "ZooKeeper 3.4, which Flink 1.13 has, resolves no name on Java 14 and later");
        server = new ZooKeeperServer(directory.toFile(), directory.toFile(), 1_000);
        server.setMinSessionTimeout(SESSION_MS);
        server.setMaxSessionTimeout(SESSION_MS);
        connections = ServerCnxnFactory.createFactory();
        connections.configure(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 100);
        connections.startup(server);
        broken = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        Thread refusing = new Thread(this::refuse, "refusing");
        refusing.setDaemon(true);
        refusing.start();
    }

    @AfterEach
    void stop() throws IOException {
        if (connections != null) {
            connections.shutdown();
            broken.close();
        }
    }

    @Test
    void onlyTheWordOnTheSessionCounts() {
        Set<KeeperState> answers =
                Arrays.stream(KeeperState.values()).filter(ZooKeeperSession::isAnswer).collect(Collectors.toSet());
        assertEquals(EnumSet.of(KeeperState.SyncConnected, KeeperState.Expired), answers);
    }

    @Test
    void aServerThatIsNotThereDoesNotMatter() throws Exception {
        // The client tries the servers in an order by chance.
        for (int i = 0; i < 50 && (i < 3 || refused.get() == 0); i++) {
            ZooKeeperSession session = abandoned();
            assertTrue(lives(session));
            session.end(ensemble(broken.getLocalPort(), connections.getLocalPort()));
            assertFalse(lives(session), "after " + refused + " refused connections");
        }
        assertTrue(refused.get() > 0);
    }

    @Test
    void aSessionThatIsOverIsNotWaitedFor() throws Exception {
        ZooKeeperSession other = abandoned();
        long start = System.nanoTime();
        new ZooKeeperSession(0x1234, new byte[16]).end(ensemble(connections.getLocalPort()));
        assertTrue(System.nanoTime() - start < ZooKeeperSession.ATTACH_TIMEOUT_MS * 1_000_000L);
        assertTrue(lives(other));
    }

    /** A session whose client goes away without ending it, as a JobManager does that is killed. */
    private ZooKeeperSession abandoned() throws IOException {
        try (Socket socket = new Socket("127.0.0.1", connections.getLocalPort())) {
            // A ConnectRequest of ZooKeeper's protocol: version, last change seen, timeout, no session yet, its password.
            DataOutputStream request = new DataOutputStream(new BufferedOutputStream(socket.getOutputStream()));
            request.writeInt(4 + 8 + 4 + 8 + 4 + PASSWORD_LENGTH);
            request.writeInt(0);
            request.writeLong(0);
            request.writeInt(SESSION_MS);
            request.writeLong(0);
            request.writeInt(PASSWORD_LENGTH);
            request.write(new byte[PASSWORD_LENGTH]);
            request.flush();
            // The answer: length, version, timeout, session, password.
            DataInputStream answer = new DataInputStream(socket.getInputStream());
            assertEquals(12, answer.skipBytes(12));
            long id = answer.readLong();
            byte[] password = new byte[answer.readInt()];
            answer.readFully(password);
            return new ZooKeeperSession(id, password);
        }
    }

    private boolean lives(ZooKeeperSession session) {
        return server.getZKDatabase().getSessionWithTimeOuts().containsKey(session.id);
    }

    private void refuse() {
        try {
            while (true) {
                Socket socket = broken.accept();
                refused.incrementAndGet();
                socket.close();
            }
        } catch (IOException e) {
            assertTrue(broken.isClosed());
        }
    }

    private static Configuration ensemble(int... ports) {
        StringBuilder quorum = new StringBuilder();
        for (int port : ports) {
            quorum.append(quorum.length() == 0 ? "" : ",").append("127.0.0.1:").append(port);
        }
        Configuration configuration = new Configuration();
        configuration.set(HighAvailabilityOptions.HA_ZOOKEEPER_QUORUM, quorum.toString());
        return configuration;
    }
}
