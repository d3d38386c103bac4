package dev.heddle.sql;

import java.util.regex.Pattern;

/** A statement of a script is wrong or has failed. The message is one line, with the place of the statement. */
final class StatementFailed extends RuntimeException {
    private static final Pattern QUOTED_TOKEN = Pattern.compile("Encountered \"?\\\\?'.*?'\"?(?= at line)");
    private static final long serialVersionUID = 1L;

    /** What Flink says if, with high availability, an application starts a second job. */
    private static final String SECOND_JOB = "Cannot have more than one execute()";

    StatementFailed(int line, String why) {
        super("line " + line + ": " + why);
    }

    StatementFailed(Piece piece, String why) {
        super(message(piece, why));
    }

    StatementFailed(Piece piece, Throwable cause) {
        super(message(piece, reason(cause) + advice(piece, cause)), cause);
    }

    private static String message(Piece piece, String why) {
        return "line " + piece.line + ", " + piece.shown() + ": " + why;
    }

    /**
     * The innermost cause on one line: Flink's outer exceptions say only that a statement has failed. Where
     * Flink's parser repeats a quoted text at which it stopped, that is left out, as it may be a password.
     */
    private static String reason(Throwable thrown) {
        Throwable inner = thrown;
        while (inner.getCause() != null) {
            inner = inner.getCause();
        }
        String said = inner.getMessage();
        String name = inner.getClass().getSimpleName();
        return said == null || said.isEmpty() ? name : name + ": " + QUOTED_TOKEN.matcher(said.split("\\R", 2)[0]).replaceFirst("Encountered '...'");
    }

    private static String advice(Piece piece, Throwable thrown) {
        for (Throwable cause = thrown; cause != null; cause = cause.getCause()) {
            String said = cause.getMessage();
            if (said != null && said.contains(SECOND_JOB)) {
                return "; with high availability, an application runs one job:"
                        + " write the INSERTs as one statement set (BEGIN STATEMENT SET; ... END;)";
            }
        }
        if (piece.begins("ADD", "JAR") || piece.begins("REMOVE", "JAR")) {
            return "; where this release of Flink does not know the statement in a program, pipeline.jars names the jars";
        }
        return "";
    }
}
