package dev.heddle.agent;

import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** What heddle has answered: one JSON object, as {@code --output json} of its commands gives it. */
final class Answer {
    private final Map<String, Object> object;
    private final Map<?, ?> error;

    private Answer(Map<String, Object> object) {
        this.object = object;
        this.error = object.get("error") instanceof Map ? (Map<?, ?>) object.get("error") : null;
    }

    /** Parses the line that heddle has printed. */
    static Answer parse(String line) throws IOException {
        return new Answer(Json.parseObject(line));
    }

    boolean failed() {
        return error != null;
    }

    /** The id of the application that was deployed, or that the error is about; null if there is none. */
    String application() {
        Object own = object.get("application");
        Object of = own == null && error != null ? error.get("application") : own;
        return of instanceof String ? (String) of : null;
    }

    /**
     * Whether heddle has refused what was asked for because it cannot do it, before anything was submitted.
     * Then Flink's own client may be able to.
     */
    boolean unsupported() {
        return error != null && Boolean.TRUE.equals(error.get("unsupported")) && application() == null;
    }

    /** What has failed, in one line. */
    String message() {
        Object message = error == null ? null : error.get("message");
        return message instanceof String ? (String) message : "heddle has answered with an error that has no message";
    }

    /** All that the error says: what has failed, its causes and the hints, one statement in a line. */
    String text() {
        StringBuilder text = new StringBuilder(message());
        for (Object cause : list("causes")) {
            text.append("\ncaused by: ").append(cause);
        }
        Object finding = error == null ? null : error.get("finding");
        Object found = finding instanceof Map ? ((Map<?, ?>) finding).get("text") : null;
        if (found instanceof String && text.indexOf((String) found) < 0) {
            text.append("\ncause: ").append(found);
        }
        for (Object hint : list("hints")) {
            text.append("\nhint: ").append(hint);
        }
        if (error != null && Boolean.TRUE.equals(error.get("retryHelps"))) {
            text.append("\nhint: this can be temporary: trying again may help");
        }
        String application = application();
        if (application != null && text.indexOf(application) < 0) {
            text.append("\nthe application is ").append(application);
        }
        return text.toString();
    }

    private List<?> list(String key) {
        Object list = error == null ? null : error.get(key);
        return list instanceof List ? (List<?>) list : Collections.emptyList();
    }
}
