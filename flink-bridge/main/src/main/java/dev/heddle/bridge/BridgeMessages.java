package dev.heddle.bridge;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

import java.util.Base64;
import java.util.List;

/**
 * The lines that the JobManager sends to heddle-am. Their fields and meaning:
 * docs/design/control-protocol.md, "The bridge".
 */
final class BridgeMessages {
    static final int PROTOCOL = 2;

    private BridgeMessages() {}

    static String hello(String flinkVersion, long pid) {
        ObjectNode message = message("hello");
        message.put("protocol", PROTOCOL);
        message.put("flink", flinkVersion);
        message.put("pid", pid);
        return Json.line(message);
    }

    /** The answer to a ping. */
    static String pong() {
        return Json.line(message("pong"));
    }

    /** The session with ZooKeeper that the leadership of this process depends on. */
    static String zookeeperSession(ZooKeeperSession session) {
        ObjectNode message = message("zookeeperSession");
        message.put("id", Long.toHexString(session.id));
        message.put("password", Base64.getEncoder().encodeToString(session.password));
        return Json.line(message);
    }

    /** @param rest the web interface's URL, null without one */
    static String ready(String rest, String rpc) {
        ObjectNode message = message("ready");
        message.put("rest", rest);
        message.put("rpc", rpc);
        return Json.line(message);
    }

    static String request(long id, WorkerRequest request) {
        ObjectNode message = message("request");
        message.put("id", id);
        message.put("memoryMb", request.memoryMb);
        message.put("vcores", request.vcores);
        ObjectNode resources = message.putObject("resources");
        request.resources.forEach((name, amount) -> resources.put(name, amount));
        addAll(message.putArray("jvmArgs"), request.jvmArgs);
        addAll(message.putArray("args"), request.args);
        return Json.line(message);
    }

    static String cancel(long id) {
        ObjectNode message = message("cancel");
        message.put("id", id);
        return Json.line(message);
    }

    static String launch(long id, String worker) {
        ObjectNode message = message("launch");
        message.put("id", id);
        message.put("worker", worker);
        return Json.line(message);
    }

    static String release(String worker) {
        ObjectNode message = message("release");
        message.put("worker", worker);
        return Json.line(message);
    }

    /** This process has a keytab, and can obtain delegation tokens of Hadoop. */
    static String canObtainTokens() {
        return Json.line(message("canObtainTokens"));
    }

    /**
     * Delegation tokens that were asked for.
     *
     * @param credentials the bytes of a credentials file, null without tokens
     * @param expires when the first token ends, ms since 1970; 0 if that is not known
     * @param failure why tokens are missing, null if none is
     */
    static String tokens(byte[] credentials, long expires, String failure) {
        ObjectNode message = message("tokens");
        message.put("credentials", credentials == null ? null : Base64.getEncoder().encodeToString(credentials));
        message.put("expires", expires == 0 ? null : Long.valueOf(expires));
        message.put("failure", failure);
        return Json.line(message);
    }

    /** @param what the beginning of the sentence that goes on with "failed" */
    static String failure(String what, String trace) {
        ObjectNode message = message("failure");
        message.put("what", what);
        message.put("trace", trace);
        return Json.line(message);
    }

    /** @param status YARN's word: SUCCEEDED, FAILED, KILLED or UNDEFINED */
    static String deregister(String status, String diagnostics) {
        ObjectNode message = message("deregister");
        message.put("status", status);
        message.put("diagnostics", diagnostics == null ? "" : diagnostics);
        return Json.line(message);
    }

    private static ObjectNode message(String type) {
        return Json.object().put("type", type);
    }

    private static void addAll(ArrayNode array, List<String> values) {
        values.forEach(array::add);
    }
}
