package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Deployments by stand-ins for Flink's classes, whose program heddle is a script. */
@Timeout(120)
class DeploymentTest {
    private static final String READY = "echo '{\"application\":\"application_1700000000000_0007\",\"webInterface\":\"http://a:1\"}'";

    private final String usual = System.getProperty("java.io.tmpdir");

    @TempDir Path temporary;

    /** Kept, so that they stay silent. */
    private final List<Logger> loggers = Arrays.asList(Logger.getLogger(HostLog.NAME), Logger.getLogger(Descriptor.TYPE));

    private TestLoader loader = new TestLoader();

    @BeforeEach
    void begin() {
        loggers.forEach(logger -> logger.setLevel(Level.OFF));
        System.setProperty("java.io.tmpdir", temporary.toString());
    }

    @AfterEach
    void clear() {
        System.setProperty("java.io.tmpdir", usual);
        System.clearProperty(Options.PROPERTIES + "heddle");
        System.clearProperty(Options.PROPERTIES + "modes");
    }

    /** Makes the program, which keeps its request, its files and its input for the test. */
    private void heddle(String... lines) throws IOException {
        List<String> script = new ArrayList<>();
        script.add("[ \"$1 $2\" = 'deploy --request' ] || exit 9");
        script.add("rm -rf '" + temporary + "/seen'; cp -r \"${3%/*}\" '" + temporary + "/seen'");
        script.addAll(Arrays.asList(lines));
        File program = TestFiles.program(temporary.resolve("heddle").toFile(), script.toArray(new String[0]));
        System.setProperty(Options.PROPERTIES + "heddle", program.getPath());
    }

    private Object descriptor() throws Exception {
        return Reflect.make(loader.loadClass(Descriptor.TYPE));
    }

    private Object graph() throws Exception {
        return Reflect.make(loader.loadClass("org.apache.flink.runtime.jobgraph.JobGraph"));
    }

    private static Object deploy(Object descriptor, Mode mode, Object graph, boolean detached) throws Exception {
        return Reflect.call(descriptor, "deploy", mode.entrypoint, graph, detached);
    }

    private static void set(Object descriptor, String key, Object value) throws Exception {
        Reflect.call(Reflect.call(descriptor, "getFlinkConfiguration"), "set", key, value);
    }

    private static String setting(Object descriptor, String key) throws Exception {
        return Descriptor.of(descriptor).settings().get(key);
    }

    private String seen(String name) throws IOException {
        return new String(Files.readAllBytes(temporary.resolve("seen").resolve(name)), StandardCharsets.UTF_8);
    }

    private Map<String, Object> request() throws IOException {
        return Json.parseObject(seen("request.json"));
    }

    /** Waits until nothing of a deployment is there any more. */
    private void awaitNothingLeft() throws InterruptedException {
        while (temporary.toFile().list((directory, name) -> name.startsWith("heddle-agent-")).length > 0 || threads() > 0) {
            Thread.sleep(10);
        }
    }

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().startsWith("heddle-")).count();
    }

    private static void assertLeftToFlink(Object descriptor, Mode mode, Object graph) {
        Exception e = assertThrows(UnsupportedOperationException.class, () -> deploy(descriptor, mode, graph, false));
        assertTrue(e.getMessage().startsWith("by Flink itself"));
    }

    @Test
    void aSession() throws Exception {
        heddle("echo 'warning: w' >&2", READY);
        Object descriptor = descriptor();
        set(descriptor, "a.b", "x # y");
        Object client = Reflect.call(deploy(descriptor, Mode.SESSION, null, false), "getClusterClient");
        assertEquals(Clients.REST_CLIENT, client.getClass().getName());
        assertEquals("application_1700000000000_7", Reflect.field(client, "clusterId").toString());
        assertEquals("application_1700000000000_7", setting(descriptor, "yarn.application.id"));

        Map<String, Object> request = request();
        assertEquals("session", request.get("mode"));
        assertEquals("name", request.get("name"));
        assertEquals(Collections.singletonList("/a b"), request.get("shipFiles"));
        assertEquals("gateway", request.get("hadoopUser"));
        assertNull(request.get("proxyUser"));
        assertEquals("\"a.b\": \"x # y\"\n", seen("flink/config.yaml"));
        String core = seen("hadoop/core-site.xml");
        assertTrue(core.contains("<name>fs.defaultFS</name><value>hdfs://there</value>"));
        assertTrue(core.contains("<value>${a</value>"));
        assertFalse(seen("hadoop/yarn-site.xml").contains("yarn.of.hadoop"));
        awaitNothingLeft();
    }

    @Test
    void anApplication() throws Exception {
        heddle(READY);
        Object descriptor = descriptor();
        File logging = TestFiles.empty(temporary.resolve("log4j.properties").toFile());
        set(descriptor, "pipeline.jars", Collections.singletonList("file:/my%20job.jar"));
        set(descriptor, "$internal.application.main", "my.Main");
        set(descriptor, "$internal.application.program-args", Arrays.asList("a;b", "#", ""));
        set(descriptor, "$internal.yarn.log-config-file", logging.getPath());
        deploy(descriptor, Mode.APPLICATION, null, false);
        Map<?, ?> program = (Map<?, ?>) request().get("program");
        assertEquals("/my job.jar", program.get("jar"));
        assertEquals("my.Main", program.get("mainClass"));
        assertEquals(Arrays.asList("a;b", "#", ""), program.get("args"));
        assertEquals("", seen("flink/log4j.properties"));
        assertFalse(seen("flink/config.yaml").contains("internal"));
        awaitNothingLeft();
    }

    @Test
    void theUserIsTheOneWhoHasMadeTheDescriptor() throws Exception {
        heddle("env >'" + temporary + "/env'", READY);
        ThreadLocal<?> acting =
                (ThreadLocal<?>) Reflect.constant(loader.loadClass("org.apache.hadoop.security.UserGroupInformation"), "ACTING");
        act(acting, "alice");
        Object descriptor = descriptor();
        acting.remove();
        deploy(descriptor, Mode.SESSION, null, false);
        assertEquals("alice", request().get("proxyUser"));
        assertEquals("gateway", request().get("hadoopUser"));
        List<String> variables = Files.readAllLines(temporary.resolve("env"));
        assertTrue(variables.contains("HADOOP_PROXY_USER=alice"));
        assertTrue(variables.contains("HADOOP_USER_NAME=gateway"));
    }

    @SuppressWarnings("unchecked")
    private static void act(ThreadLocal<?> acting, String user) {
        ((ThreadLocal<Object>) acting).set(user);
    }

    @Test
    void aDetachedJob() throws Exception {
        heddle(READY, "cat >'" + temporary + "/input'; echo ended >'" + temporary + "/ended'");
        Object descriptor = descriptor();
        Object graph = graph();
        Object client = Reflect.call(deploy(descriptor, Mode.PER_JOB, graph, true), "getClusterClient");
        assertEquals(Clients.REST_CLIENT, client.getClass().getName());
        // Only what is on this machine can be uploaded; the rest is on the class path of the cluster.
        assertEquals("[/a.jar]", setting(descriptor, "submitted.jars"));
        assertEquals(Arrays.asList("/a.jar", "hdfs://n/b.jar"), Reflect.call(graph, "getUserJars"));
        assertEquals(Arrays.asList("/a.jar", "hdfs://n/b.jar"), request().get("userJars"));
        assertEquals(true, request().get("detached"));
        assertTrue(Files.exists(temporary.resolve("ended")));
        assertEquals(0, Files.size(temporary.resolve("input")));
        awaitNothingLeft();
    }

    @Test
    void aJarThatNobodyWouldBringIsLeftToFlink() throws Exception {
        heddle(READY);
        Object descriptor = descriptor();
        set(descriptor, "yarn.classpath.include-user-jar", "disabled");
        assertLeftToFlink(descriptor, Mode.PER_JOB, graph());
        awaitNothingLeft();
    }

    @Test
    void anAttachedJob() throws Exception {
        heddle(READY, "cat >'" + temporary + "/input'; echo ended >'" + temporary + "/ended'");
        Object graph = graph();
        Object client = Reflect.call(deploy(descriptor(), Mode.PER_JOB, graph, false), "getClusterClient");
        assertEquals(Clients.REST_CLIENT, client.getClass().getSuperclass().getName());
        Object job = Reflect.call(graph, "getJobID");
        Future<?> result = (Future<?>) Reflect.call(client, "requestJobResult", job);
        Thread.sleep(300);
        assertFalse(result.isDone());
        assertFalse(Files.exists(temporary.resolve("ended")));
        // Whoever gives up waiting does not end the wait of others.
        assertTrue(result.cancel(true));

        complete(new Result());
        awaitNothingLeft();
        assertTrue(Files.exists(temporary.resolve("ended")));
        assertEquals(0, Files.size(temporary.resolve("input")));
        // The cluster has ended, and the result is still there.
        Object known = ((Future<?>) Reflect.call(client, "requestJobResult", job)).get(1, TimeUnit.SECONDS);
        assertEquals(Result.class, known.getClass());
        Object status = ((Future<?>) Reflect.call(client, "getJobStatus", job)).get(1, TimeUnit.SECONDS);
        assertEquals("FINISHED", status.toString());
        // Of another job the cluster itself is asked.
        Object other = Reflect.make(loader.loadClass("org.apache.flink.api.common.JobID"));
        assertThrows(
                ExecutionException.class, () -> ((Future<?>) Reflect.call(client, "getJobStatus", other)).get(1, TimeUnit.SECONDS));
    }

    @SuppressWarnings("unchecked")
    private void complete(Object result) throws Exception {
        Class<?> type = loader.loadClass(Clients.REST_CLIENT);
        ((CompletableFuture<Object>) Reflect.constant(type, "RESULT")).complete(result);
    }

    /** What Flink calls JobResult. */
    public static final class Result {
        public String getApplicationStatus() {
            return "SUCCEEDED";
        }
    }

    @Test
    void aJobThatIsNotAcceptedEndsItsCluster() throws Exception {
        // It takes a moment before it reads how main() has ended.
        heddle(READY, "sleep 0.3; cat >'" + temporary + "/input'");
        loader.loadClass(Clients.REST_CLIENT).getField("refusal").set(null, new IOException("no such class"));
        Object descriptor = descriptor();
        Exception e = assertThrows(RuntimeException.class, () -> deploy(descriptor, Mode.PER_JOB, graph(), true));
        assertEquals("YarnDeploymentException", e.getClass().getSimpleName());
        assertTrue(e.getMessage().contains("application_1700000000000_0007") && e.getMessage().contains("no such class"));
        assertEquals("no such class", e.getCause().getMessage());
        assertEquals("application_1700000000000_7", Reflect.field(Reflect.call(descriptor, "getYarnClient"), "killed").toString());
        awaitNothingLeft();
        assertEquals("{\"exit\": 1}\n", new String(Files.readAllBytes(temporary.resolve("input")), StandardCharsets.UTF_8));
    }

    @Test
    void anErrorOfHeddleIsFlinksException() throws Exception {
        heddle("echo '{\"error\":{\"message\":\"no queue q\",\"hints\":[\"take another\"],\"application\":null}}'; exit 1");
        Exception e = assertThrows(RuntimeException.class, () -> deploy(descriptor(), Mode.SESSION, null, false));
        assertEquals("YarnDeploymentException", e.getClass().getSimpleName());
        assertEquals("no queue q\nhint: take another", e.getMessage());
        awaitNothingLeft();
    }

    @Test
    void withoutAnAnswerNothingIsTriedAgain() throws Exception {
        for (String end : new String[] {"echo oh >&2; exit 3", "echo what; exit 0", "echo '{}'"}) {
            heddle(end);
            Exception e = assertThrows(RuntimeException.class, () -> deploy(descriptor(), Mode.SESSION, null, false));
            assertEquals("YarnDeploymentException", e.getClass().getSimpleName());
        }
        awaitNothingLeft();
    }

    @Test
    void whatHeddleCannotDoGoesOnAsBefore() throws Exception {
        heddle("echo '{\"error\":{\"message\":\"m\",\"unsupported\":true}}'; exit 1");
        assertLeftToFlink(descriptor(), Mode.SESSION, null);
        assertNotNull(request());
        assertThrows(UnsupportedOperationException.class, () -> Reflect.call(descriptor(), "deploy", "my.Entrypoint", null, false));
        System.setProperty(Options.PROPERTIES + "modes", "per-job");
        assertLeftToFlink(descriptor(), Mode.SESSION, null);
        System.setProperty(Options.PROPERTIES + "heddle", temporary + "/nothing");
        assertLeftToFlink(descriptor(), Mode.PER_JOB, graph());
        Files.write(temporary.resolve("nothing"), "no program".getBytes(StandardCharsets.UTF_8));
        assertTrue(temporary.resolve("nothing").toFile().setExecutable(true));
        assertLeftToFlink(descriptor(), Mode.PER_JOB, graph());
        awaitNothingLeft();
    }

    @Test
    void anInterruptedDeploymentIsUndone() throws Exception {
        heddle("trap 'echo >\"" + temporary + "/undone\"; exit 143' TERM; echo >'" + temporary + "/begun'", "while :; do sleep 0.05; done");
        Object descriptor = descriptor();
        CompletableFuture<Throwable> thrown = new CompletableFuture<>();
        Thread caller =
                new Thread(
                        () -> {
                            try {
                                deploy(descriptor, Mode.SESSION, null, false);
                                thrown.complete(null);
                            } catch (Exception e) {
                                thrown.complete(e);
                            }
                        });
        caller.start();
        while (!Files.exists(temporary.resolve("begun"))) {
            Thread.sleep(10);
        }
        caller.interrupt();
        assertEquals(InterruptedException.class, thrown.get().getClass());
        assertTrue(Files.exists(temporary.resolve("undone")));
        awaitNothingLeft();
    }

    @Test
    void aFlinkThatIsNotNeededAnyMoreIsUnloaded() throws Exception {
        heddle(READY, "read line");
        List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            loader = new TestLoader();
            loaders.add(new WeakReference<>(loader));
            Object graph = graph();
            Reflect.call(deploy(descriptor(), Mode.PER_JOB, graph, false), "getClusterClient");
            complete(new Result());
            deploy(descriptor(), Mode.SESSION, null, false);
        }
        loader = null;
        awaitNothingLeft();
        for (int i = 0; i < 100 && loaders.stream().anyMatch(each -> each.get() != null); i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertEquals(0, loaders.stream().filter(each -> each.get() != null).count());
    }
}
