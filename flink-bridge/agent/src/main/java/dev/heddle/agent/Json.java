package dev.heddle.agent;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and writes JSON, as values of {@code java.util} and {@code java.lang}. The agent cannot bring a
 * library for it, as it would be on the class path of the host, and cannot use that of Flink, whose name
 * differs between releases.
 */
final class Json {
    /** As deep as values may be nested; heddle's answers have four levels. */
    private static final int DEEPEST = 64;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Writes null, strings, numbers, booleans, collections, and maps whose keys are strings. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    /**
     * A string in double quotes, which YAML reads as JSON does: all that is not printable is escaped. Pairs
     * of surrogates stay, because YAML would read each half as a character of its own.
     */
    static String quoted(String text) {
        StringBuilder out = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"':
                case '\\':
                    out.append('\\').append(c);
                    break;
                case '\n':
                    out.append("\\n");
                    break;
                case '\r':
                    out.append("\\r");
                    break;
                case '\t':
                    out.append("\\t");
                    break;
                default:
                    if (c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe) {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
            }
        }
        return out.append('"').toString();
    }

    /**
     * Parses an object.
     *
     * @throws IOException if the text is something else. The message does not repeat the text, which may hold
     *     secrets.
     */
    static Map<String, Object> parseObject(String text) throws IOException {
        Json json = new Json(text);
        Object value = json.value(0);
        json.blanks();
        if (json.at != text.length() || !(value instanceof Map)) {
            throw json.error();
        }
        Map<String, Object> object = new LinkedHashMap<>();
        ((Map<?, ?>) value).forEach((key, each) -> object.put((String) key, each));
        return object;
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof String) {
            out.append(quoted((String) value));
        } else if (value instanceof Map) {
            String separator = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(separator).append(quoted((String) entry.getKey())).append(':');
                write(entry.getValue(), out);
                separator = ",";
            }
            out.append(separator.equals("{") ? "{}" : "}");
        } else if (value instanceof Collection) {
            String separator = "[";
            for (Object each : (Collection<?>) value) {
                out.append(separator);
                write(each, out);
                separator = ",";
            }
            out.append(separator.equals("[") ? "[]" : "]");
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else {
            throw new IllegalArgumentException(value.getClass() + " cannot be written as JSON");
        }
    }

    private Object value(int depth) throws IOException {
        if (depth > DEEPEST) {
            throw error();
        }
        blanks();
        switch (peek()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) throws IOException {
        Map<String, Object> object = new LinkedHashMap<>();
        at++;
        blanks();
        if (taken('}')) {
            return object;
        }
        do {
            blanks();
            String key = string();
            blanks();
            expect(':');
            object.put(key, value(depth + 1));
            blanks();
        } while (taken(','));
        expect('}');
        return object;
    }

    private List<Object> array(int depth) throws IOException {
        List<Object> array = new ArrayList<>();
        at++;
        blanks();
        if (taken(']')) {
            return array;
        }
        do {
            array.add(value(depth + 1));
            blanks();
        } while (taken(','));
        expect(']');
        return array;
    }

    private String string() throws IOException {
        expect('"');
        StringBuilder out = new StringBuilder();
        for (char c = next(); c != '"'; c = next()) {
            out.append(c == '\\' ? escaped() : c);
        }
        return out.toString();
    }

    private char escaped() throws IOException {
        char c = next();
        switch (c) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    int digit = Character.digit(next(), 16);
                    if (digit < 0) {
                        throw error();
                    }
                    code = code * 16 + digit;
                }
                return (char) code;
            case '"':
            case '\\':
            case '/':
                return c;
            default:
                throw error();
        }
    }

    private Number number() throws IOException {
        int from = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(from, at);
        try {
            if (digits.matches("-?[0-9]+")) {
                return Long.valueOf(digits);
            }
            return Double.valueOf(digits);
        } catch (NumberFormatException e) {
            throw error();
        }
    }

    private Object word(String word, Object value) throws IOException {
        if (!text.startsWith(word, at)) {
            throw error();
        }
        at += word.length();
        return value;
    }

    private void blanks() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() throws IOException {
        if (at >= text.length()) {
            throw error();
        }
        return text.charAt(at);
    }

    private char next() throws IOException {
        char c = peek();
        at++;
        return c;
    }

    private boolean taken(char c) {
        boolean found = at < text.length() && text.charAt(at) == c;
        at += found ? 1 : 0;
        return found;
    }

    private void expect(char c) throws IOException {
        if (!taken(c)) {
            throw error();
        }
    }

    private IOException error() {
        return new IOException("not a JSON object at character " + (at + 1));
    }
}
