package dev.heddle.sql;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A SQL script, divided into its steps.
 *
 * <p>Statements end with a semicolon; the last one need not. Quotations ({@code '...'}, {@code "..."} and
 * {@code `...`}) and comments ({@code -- ...} and {@code /* ... *}{@code /}) are read as Flink's SQL client
 * reads them.
 */
final class Script {
    final List<Step> steps;

    private Script(List<Step> steps) {
        this.steps = Collections.unmodifiableList(steps);
    }

    /**
     * Divides a script.
     *
     * @throws StatementFailed if a quotation, a comment or a statement set has no end, or a command is wrong
     */
    static Script parse(String text) {
        List<Step> steps = new ArrayList<>();
        List<Piece> pieces = pieces(text.startsWith("\uFEFF") ? text.substring(1) : text);
        for (int at = 0; at < pieces.size(); at++) {
            Piece piece = pieces.get(at);
            int whole = piece.behind("STATEMENT", "SET", "BEGIN");
            if (piece.is("BEGIN", "STATEMENT", "SET")) {
                int end = end(pieces, at);
                steps.add(Step.statementSet(piece, pieces.subList(at + 1, end)));
                at = end;
            } else if (piece.begins("EXECUTE", "STATEMENT", "SET", "BEGIN")) {
                int end = end(pieces, at);
                List<Piece> inserts = new ArrayList<>(pieces.subList(at + 1, end));
                inserts.add(0, piece.rest(4));
                inserts.removeIf(Piece::isEmpty);
                steps.add(Step.statementSet(piece, inserts));
                at = end;
            } else if (whole >= 0) {
                // Such as EXPLAIN STATEMENT SET BEGIN ... END, which is a statement of the Table API.
                int end = end(pieces, at);
                steps.add(Step.statement(joined(pieces.subList(at, end + 1))));
                at = end;
            } else if (piece.is("END")) {
                throw new StatementFailed(piece, "no statement set has begun that could end here");
            } else {
                Step step = Step.of(piece);
                steps.add(step);
                if (step.kind == Step.Kind.QUIT) {
                    break;
                }
            }
        }
        return new Script(steps);
    }

    /** The place of the {@code END} of the statement set that begins at a place. */
    private static int end(List<Piece> pieces, int begin) {
        for (int at = begin + 1; at < pieces.size(); at++) {
            Piece piece = pieces.get(at);
            if (piece.is("END")) {
                return at;
            }
            if (piece.is("BEGIN", "STATEMENT", "SET") || piece.behind("STATEMENT", "SET", "BEGIN") >= 0) {
                throw new StatementFailed(piece, "a statement set cannot be part of another one");
            }
        }
        throw new StatementFailed(pieces.get(begin), "the statement set has no END;");
    }

    /** Several pieces as one, with their semicolons. The lines and columns between them are kept. */
    private static Piece joined(List<Piece> pieces) {
        Piece first = pieces.get(0);
        StringBuilder text = new StringBuilder(first.text);
        int line = first.line + lines(first.text);
        for (Piece piece : pieces.subList(1, pieces.size())) {
            text.append(';');
            for (; line < piece.line; line++) {
                text.append('\n');
            }
            text.append(' ').append(piece.text);
            line += lines(piece.text);
        }
        String whole = text.toString();
        return pieces(whole, first.line, first.column, false).get(0);
    }

    private static int lines(String text) {
        return (int) text.chars().filter(sign -> sign == '\n').count();
    }

    static List<Piece> pieces(String text) {
        return pieces(text, 1, 0, true);
    }

    private enum State {
        NORMAL,
        TEXT,
        QUOTED,
        NAME,
        LINE_COMMENT,
        COMMENT,
        HINT
    }

    /** Divides a text, which begins at a place of the script, at its semicolons if {@code divide} is true. */
    private static List<Piece> pieces(String text, int firstLine, int firstColumn, boolean divide) {
        List<Piece> pieces = new ArrayList<>();
        StringBuilder plain = new StringBuilder();
        StringBuilder mask = new StringBuilder();
        State state = State.NORMAL;
        int line = firstLine;
        int column = firstColumn;
        int pieceLine = line;
        int pieceColumn = column;
        int openLine = line;
        int openColumn = column;
        for (int at = 0; at < text.length(); at++) {
            char sign = text.charAt(at);
            char next = at + 1 < text.length() ? text.charAt(at + 1) : '\0';
            State before = state;
            boolean two = false;
            switch (state) {
                case NORMAL:
                    two = (sign == '-' && next == '-') || (sign == '/' && next == '*');
                    boolean hint = two && sign == '/' && at + 2 < text.length() && text.charAt(at + 2) == '+';
                    state = begun(sign, two, hint);
                    if (state != State.NORMAL) {
                        openLine = line;
                        openColumn = column;
                    }
                    break;
                case TEXT:
                    state = sign == '\'' ? State.NORMAL : state;
                    break;
                case QUOTED:
                    state = sign == '"' ? State.NORMAL : state;
                    break;
                case NAME:
                    state = sign == '`' ? State.NORMAL : state;
                    break;
                case LINE_COMMENT:
                    state = sign == '\n' ? State.NORMAL : state;
                    break;
                default:
                    two = sign == '*' && next == '/';
                    state = two ? State.NORMAL : state;
            }
            if (sign == ';' && before == State.NORMAL && divide) {
                add(pieces, piece(pieceLine, pieceColumn, plain.toString(), mask.toString(), ""));
                plain.setLength(0);
                mask.setLength(0);
                column++;
                pieceLine = line;
                pieceColumn = column;
                continue;
            }
            State of = before == State.NORMAL ? state : before;
            for (int signs = two ? 2 : 1; signs > 0; signs--) {
                char kept = text.charAt(two && signs == 1 ? ++at : at);
                boolean space = Character.isWhitespace(kept);
                boolean comment = of == State.LINE_COMMENT || of == State.COMMENT;
                plain.append(comment && !space ? ' ' : kept);
                mask.append(marked(of, kept, space));
                column = kept == '\n' ? 0 : column + 1;
                line += kept == '\n' ? 1 : 0;
            }
        }
        Piece last = piece(pieceLine, pieceColumn, plain.toString(), mask.toString(), "");
        if (state != State.NORMAL && state != State.LINE_COMMENT) {
            String what = state == State.COMMENT || state == State.HINT ? "comment" : "quotation";
            throw new StatementFailed(
                    openLine, "the " + what + " that begins at column " + (openColumn + 1) + " has no end");
        }
        add(pieces, last);
        return pieces;
    }

    /** What begins with a character outside of quotations and comments. */
    private static State begun(char sign, boolean two, boolean hint) {
        switch (sign) {
            case '\'':
                return State.TEXT;
            case '"':
                return State.QUOTED;
            case '`':
                return State.NAME;
            case '-':
                return two ? State.LINE_COMMENT : State.NORMAL;
            case '/':
                return hint ? State.HINT : two ? State.COMMENT : State.NORMAL;
            default:
                return State.NORMAL;
        }
    }

    private static char marked(State state, char sign, boolean space) {
        switch (state) {
            case TEXT:
            case QUOTED:
                return Piece.TEXT;
            case NAME:
                return Piece.NAME;
            case HINT:
                return Piece.HINT;
            case LINE_COMMENT:
            case COMMENT:
                return space ? sign : ' ';
            default:
                return sign;
        }
    }

    private static void add(List<Piece> pieces, Piece piece) {
        if (!piece.isEmpty()) {
            pieces.add(piece);
        }
    }

    /**
     * A piece without the blanks at its ends.
     *
     * @param before what stands in front of it, behind the place that {@code line} and {@code column} name
     */
    static Piece piece(int line, int column, String text, String mask, String before) {
        int from = 0;
        int to = text.length();
        while (from < to && Character.isWhitespace(text.charAt(from))) {
            from++;
        }
        while (to > from && Character.isWhitespace(text.charAt(to - 1))) {
            to--;
        }
        String skipped = before + text.substring(0, from);
        int newLine = skipped.lastIndexOf('\n');
        int movedColumn = newLine < 0 ? column + skipped.length() : skipped.length() - newLine - 1;
        return new Piece(line + lines(skipped), movedColumn, text.substring(from, to), mask.substring(from, to));
    }
}
