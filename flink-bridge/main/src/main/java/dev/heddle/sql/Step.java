package dev.heddle.sql;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a script does at one place: a statement, a statement set, or a command of Flink's SQL client. */
final class Step {
    enum Kind {
        /** A statement of the Table API. */
        STATEMENT,
        /** Several INSERTs that are one job. */
        STATEMENT_SET,
        SET,
        RESET,
        /** The end of the script; what stands behind it is not run. */
        QUIT
    }

    /** Possessive, because otherwise each character takes a frame of the stack. */
    private static final String QUOTED = "'((?:[^']++|'')*+)'";
    private static final Pattern SET =
            Pattern.compile(
                    "SET(?:\\s+(?:" + QUOTED + "|([^\\s'=]+))\\s*=\\s*(?:" + QUOTED + "|(\\S+)))?",
                    Pattern.CASE_INSENSITIVE);
    private static final Pattern RESET =
            Pattern.compile("RESET(?:\\s+(?:" + QUOTED + "|([^\\s']+)))?", Pattern.CASE_INSENSITIVE);
    /** First words of statements that start no job. */
    private static final Set<String> WITHOUT_JOB =
            set("ALTER", "DROP", "USE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LOAD", "UNLOAD", "ADD", "REMOVE");
    /** First words of queries. */
    private static final Set<String> QUERY = set("SELECT", "WITH", "VALUES", "(");
    /** Commands that are only for people in front of Flink's SQL client. */
    private static final Set<String> INTERACTIVE = set("HELP", "CLEAR", "SOURCE");

    final Kind kind;
    final Piece piece;
    /** The INSERTs of a statement set. */
    final List<Piece> inserts;
    /** The key of SET and RESET; null if all settings are meant. */
    final String key;
    /** The value of SET. */
    final String value;

    private Step(Kind kind, Piece piece, List<Piece> inserts, String key, String value) {
        this.kind = kind;
        this.piece = piece;
        this.inserts = inserts;
        this.key = key;
        this.value = value;
    }

    private static Set<String> set(String... words) {
        return Collections.unmodifiableSet(new HashSet<>(Arrays.asList(words)));
    }

    static Step statement(Piece piece) {
        return new Step(Kind.STATEMENT, piece, Collections.emptyList(), null, null);
    }

    static Step statementSet(Piece begin, List<Piece> inserts) {
        if (inserts.isEmpty()) {
            throw new StatementFailed(begin, "the statement set is empty");
        }
        for (Piece insert : inserts) {
            if (!insert.begins("INSERT")) {
                throw new StatementFailed(insert, "a statement set takes only INSERT");
            }
        }
        return new Step(
                Kind.STATEMENT_SET, begin, Collections.unmodifiableList(new ArrayList<>(inserts)), null, null);
    }

    /** The step that a piece is, outside of a statement set. */
    static Step of(Piece piece) {
        String first = piece.word(0);
        if (first.equals("SET")) {
            Matcher found = matched(SET, piece, "SET 'key' = 'value'");
            return setting(Kind.SET, piece, either(found, 1, 2), either(found, 3, 4));
        }
        if (first.equals("RESET")) {
            return setting(Kind.RESET, piece, either(matched(RESET, piece, "RESET 'key'"), 1, 2), null);
        }
        if (piece.is("QUIT") || piece.is("EXIT")) {
            return setting(Kind.QUIT, piece, null, null);
        }
        if (INTERACTIVE.contains(first)) {
            throw new StatementFailed(piece, "a script cannot have this command of Flink's interactive SQL client");
        }
        return statement(piece);
    }

    private static Step setting(Kind kind, Piece piece, String key, String value) {
        return new Step(kind, piece, Collections.emptyList(), key, value);
    }

    private static Matcher matched(Pattern pattern, Piece piece, String form) {
        Matcher matcher = pattern.matcher(piece.text);
        if (!matcher.matches()) {
            throw new StatementFailed(piece, "it does not have the form " + form);
        }
        return matcher;
    }

    /** The quoted or the plain text, whichever is there. */
    private static String either(Matcher found, int quoted, int plain) {
        String text = found.group(quoted);
        return text != null ? text.replace("''", "'") : found.group(plain);
    }

    /** Whether the step may start a job. It does not if that is known of such statements. */
    boolean mayStartJob() {
        if (kind != Kind.STATEMENT) {
            return kind == Kind.STATEMENT_SET;
        }
        if (piece.begins("CREATE")) {
            return isTable() && hasQuery();
        }
        return !WITHOUT_JOB.contains(piece.word(0));
    }

    /** Whether CREATE is about a table, and not about a view or something else. */
    private boolean isTable() {
        for (int index = 1; index < 5; index++) {
            if (piece.word(index).equals("TABLE")) {
                return true;
            }
        }
        return false;
    }

    private boolean hasQuery() {
        for (String word : QUERY) {
            if (piece.behind("AS", word) >= 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether the step is a query, whose rows are the result. */
    boolean isQuery() {
        return kind == Kind.STATEMENT && QUERY.contains(piece.word(piece.begins("EXECUTE") ? 1 : 0));
    }

    /** What is shown of the step. A setting is shown without its value. */
    String shown() {
        switch (kind) {
            case SET:
                return key == null ? "SET" : "SET '" + key + "'";
            case RESET:
                return key == null ? "RESET" : "RESET '" + key + "'";
            default:
                return piece.shown();
        }
    }
}
