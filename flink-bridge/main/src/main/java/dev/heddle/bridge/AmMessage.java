package dev.heddle.bridge;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

import org.slf4j.Logger;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** One line from heddle-am, decoded and checked; each type is a subclass. Unknown fields are ignored. */
abstract class AmMessage {
    private AmMessage() {}

    @Override
    public String toString() {
        return '"' + getClass().getSimpleName().toLowerCase(Locale.ROOT) + '"';
    }

    /** The answer to hello: Flink may start. */
    static final class Start extends AmMessage {
        /** Of the JobManager before this one, to be ended first; null without one. */
        final ZooKeeperSession previousSession;

        Start(ZooKeeperSession previousSession) {
            this.previousSession = previousSession;
        }
    }

    /** A question whether this process still runs; the answer is "pong". */
    static final class Ping extends AmMessage {}

    /** YARN knows the application; the largest container that it grants. */
    static final class Registered extends AmMessage {
        final long maxMemoryMb;
        final long maxVcores;
        /** Resource name to the largest amount; a name that is absent does not exist in the cluster. */
        final Map<String, Long> resources;

        Registered(long maxMemoryMb, long maxVcores, Map<String, Long> resources) {
            this.maxMemoryMb = maxMemoryMb;
            this.maxVcores = maxVcores;
            this.resources = Collections.unmodifiableMap(resources);
        }
    }

    /** The workers that run already, left by an earlier attempt or JobManager. */
    static final class Previous extends AmMessage {
        final List<HeddleWorker> workers;

        Previous(List<HeddleWorker> workers) {
            this.workers = Collections.unmodifiableList(workers);
        }
    }

    /** A container for a request. */
    static final class Allocated extends AmMessage {
        final long id;
        final HeddleWorker worker;

        Allocated(long id, HeddleWorker worker) {
            this.id = id;
            this.worker = worker;
        }
    }

    /** A request that cannot be met. */
    static final class Failed extends AmMessage {
        final long id;
        final String reason;

        Failed(long id, String reason) {
            this.id = id;
            this.reason = reason;
        }
    }

    /** A worker that is gone. */
    static final class Terminated extends AmMessage {
        final String worker;
        final String reason;

        Terminated(String worker, String reason) {
            this.worker = worker;
            this.reason = reason;
        }
    }

    /** A request for delegation tokens for file systems, which their URLs name. */
    static final class ObtainTokens extends AmMessage {
        final List<String> fileSystems;

        ObtainTokens(List<String> fileSystems) {
            this.fileSystems = Collections.unmodifiableList(fileSystems);
        }
    }

    /** A text for the log of this process. */
    static final class Log extends AmMessage {
        /** Whether somebody should know it; else it is only for information. */
        final boolean warning;
        final String text;

        Log(boolean warning, String text) {
            this.warning = warning;
            this.text = text;
        }

        void writeTo(Logger log) {
            if (warning) {
                log.warn("{}", text);
            } else {
                log.info("{}", text);
            }
        }
    }

    /** The final status is with YARN. */
    static final class Deregistered extends AmMessage {}

    /** The application must end. */
    static final class Fatal extends AmMessage {
        final String reason;

        Fatal(String reason) {
            this.reason = reason;
        }
    }

    /** A type that this release of the bridge does not know. */
    static final class Unknown extends AmMessage {
        final String type;

        Unknown(String type) {
            this.type = type;
        }

        @Override
        public String toString() {
            return "the unknown message \"" + type + '"';
        }
    }

    /** Decodes a line; fails when it is no JSON object or lacks a field that its type needs. */
    static AmMessage decode(String line) throws IOException {
        ObjectNode node = Json.parseObject(line);
        String type = text(node, "message", "type");
        switch (type) {
            case "start":
                JsonNode session = node.path("previousSession");
                return new Start(session.isObject() ? session(session, type) : null);
            case "ping":
                return new Ping();
            case "registered":
                return new Registered(
                        number(node, type, "maxMemoryMb"), number(node, type, "maxVcores"), amounts(node, type));
            case "previous":
                List<HeddleWorker> workers = new ArrayList<>();
                for (JsonNode worker : field(node, type, "workers")) {
                    workers.add(worker(worker, type));
                }
                return new Previous(workers);
            case "allocated":
                return new Allocated(number(node, type, "id"), worker(node, type));
            case "failed":
                return new Failed(number(node, type, "id"), text(node, type, "reason"));
            case "terminated":
                return new Terminated(text(node, type, "worker"), text(node, type, "reason"));
            case "obtainTokens":
                List<String> fileSystems = new ArrayList<>();
                for (JsonNode url : field(node, type, "fileSystems")) {
                    fileSystems.add(url.asText());
                }
                return new ObtainTokens(fileSystems);
            case "log":
                // A level of a later release is for information.
                return new Log("WARN".equals(node.path("level").asText()), text(node, type, "text"));
            case "deregistered":
                return new Deregistered();
            case "fatal":
                return new Fatal(text(node, type, "reason"));
            default:
                return new Unknown(type);
        }
    }

    private static Map<String, Long> amounts(JsonNode node, String type) throws IOException {
        JsonNode resources = node.path("resources");
        Map<String, Long> amounts = new TreeMap<>();
        for (Iterator<String> names = resources.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            amounts.put(name, number(resources, type, name));
        }
        return amounts;
    }

    private static HeddleWorker worker(JsonNode node, String type) throws IOException {
        return new HeddleWorker(text(node, type, "worker"), text(node, type, "node"), text(node, type, "host"));
    }

    private static ZooKeeperSession session(JsonNode node, String type) throws IOException {
        try {
            byte[] password = Base64.getDecoder().decode(text(node, type, "password"));
            return new ZooKeeperSession(Long.parseUnsignedLong(text(node, type, "id"), 16), password);
        } catch (IllegalArgumentException e) {
            // The exception's text would show the password.
            throw new IOException("\"" + type + "\" names a ZooKeeper session that cannot be read");
        }
    }

    private static JsonNode field(JsonNode node, String type, String name) throws IOException {
        JsonNode value = node.get(name);
        if (value == null || value.isNull()) {
            throw new IOException("\"" + type + "\" lacks the field \"" + name + "\"");
        }
        return value;
    }

    private static String text(JsonNode node, String type, String name) throws IOException {
        JsonNode value = field(node, type, name);
        if (!value.isTextual()) {
            throw new IOException("\"" + type + "\": the field \"" + name + "\" is not a string");
        }
        return value.textValue();
    }

    private static long number(JsonNode node, String type, String name) throws IOException {
        JsonNode value = field(node, type, name);
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new IOException("\"" + type + "\": the field \"" + name + "\" is not a whole number");
        }
        return value.longValue();
    }
}
