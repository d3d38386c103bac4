package dev.heddle.sql;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;

class ScriptTest {
    private static List<String> pieces(String text) {
        return Script.pieces(text).stream()
                .map(piece -> piece.line + ":" + piece.column + " " + piece.text)
                .collect(Collectors.toList());
    }

    private static List<String> steps(String text) {
        return Script.parse(text).steps.stream()
                .map(step -> step.kind + " " + step.shown() + (step.inserts.isEmpty() ? "" : " " + step.inserts.size()))
                .collect(Collectors.toList());
    }

    private static String refused(String text) {
        return assertThrows(
                        RuntimeException.class, () -> Check.modeOf(Script.parse(text).steps, null), text)
                .getMessage();
    }

    private static String mode(String text, String configured) {
        return Check.modeOf(Script.parse(text).steps, configured);
    }

    @Test
    void semicolonsInQuotationsAndCommentsEndNothing() {
        assertEquals(
                Arrays.asList("1:0 A 'x;''y'", "2:1 B \"z;\" `n;`", "3:10 C"),
                pieces("A 'x;''y' ;\n B \"z;\" `n;`; -- D;\n/* E; */  C"));
        assertEquals(Collections.emptyList(), pieces(" ;; -- nothing\n/* at all */ ;"));
        assertEquals(Arrays.asList("1:0 A /*+ H('x;') */ B"), pieces("A /*+ H('x;') */ B -- C;"));
        assertEquals(Arrays.asList("1:0 A - B / C * D"), pieces("A - B / C * D"));
        assertEquals(Arrays.asList("2:2 A", "2:5 B"), pieces("\r\n  A; B\r\n"));
    }

    @Test
    void statementSetsAreOneStep() {
        List<String> both = Arrays.asList("STATEMENT_SET BEGIN STATEMENT SET 2", "STATEMENT SELECT 1");
        assertEquals(both, steps("BEGIN STATEMENT SET; INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END; SELECT 1"));
        Step set = Script.parse("EXECUTE STATEMENT SET\nBEGIN\n INSERT INTO a SELECT 1;\nINSERT INTO b SELECT 2; END").steps.get(0);
        assertEquals(Step.Kind.STATEMENT_SET, set.kind);
        assertEquals(
                Arrays.asList("3:1 INSERT INTO a SELECT 1", "4:0 INSERT INTO b SELECT 2"),
                set.inserts.stream().map(i -> i.line + ":" + i.column + " " + i.text).collect(Collectors.toList()));
        List<Step> whole = Script.parse("EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1;\nEND; SELECT 1").steps;
        assertEquals(2, whole.size());
        assertEquals("EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1;\n END", whole.get(0).piece.text);
        // The END of a CASE is no END of a statement set.
        assertEquals(
                Arrays.asList("STATEMENT_SET BEGIN STATEMENT SET 1"),
                steps("BEGIN STATEMENT SET; INSERT INTO a SELECT CASE x WHEN 1 THEN 2 END FROM b; END;"));
    }

    @Test
    void settings() {
        assertEquals(
                Arrays.asList("SET SET 'a.b'", "SET SET 'c'", "SET SET", "RESET RESET 'a.b'", "RESET RESET", "QUIT QUIT"),
                steps("SET 'a.b' = 'it''s'; set c = d; SET; RESET 'a.b'; reset; QUIT; SELECT 'never'"));
        assertEquals("it's", Script.parse("SET 'a'='it''s'").steps.get(0).value);
    }

    @Test
    void noQuotedTextIsShown() {
        Piece piece = Script.pieces("CREATE TABLE `t`\n (n INT) WITH ('password' = 'hush') /*+ O('hush') */ x").get(0);
        assertEquals("CREATE TABLE `t` (n INT) WITH ('...' = '...') /*+...*/ x", piece.shown());
        assertTrue(Script.pieces("SELECT " + String.join(", ", new String[200])).get(0).shown().length() < 110);
    }

    @Test
    void aStatementStandsAtItsPlace() {
        assertEquals("\n\n   B\nC", Script.pieces("A;\n-- x\n   B\nC").get(1).atItsPlace());
    }

    @Test
    void whatIsWrongIsNamedWithItsLine() {
        assertEquals("line 2: the quotation that begins at column 3 has no end", refused("A;\nB 'x;"));
        assertEquals("line 1: the comment that begins at column 1 has no end", refused("/* A"));
        assertTrue(refused("BEGIN STATEMENT SET;\nSELECT 1; END;").startsWith("line 2, SELECT 1: a statement set takes"));
        assertTrue(refused("\nBEGIN STATEMENT SET; INSERT INTO a SELECT 1").startsWith("line 2, BEGIN STATEMENT SET: "));
        assertTrue(refused("BEGIN STATEMENT SET; BEGIN STATEMENT SET; END;").contains("cannot be part of another"));
        assertTrue(refused("BEGIN STATEMENT SET; END;").contains("is empty"));
        assertTrue(refused("END;").contains("no statement set has begun"));
        assertTrue(refused("SET 'a' 'b'; SELECT 1").contains("SET 'key' = 'value'"));
        assertTrue(refused("HELP; SELECT 1").contains("interactive"));
    }

    @Test
    void whichStatementsMayStartJobs() {
        for (String text :
                Arrays.asList(
                        "INSERT INTO a SELECT 1",
                        "SELECT 1",
                        "(SELECT 1)",
                        "CREATE TABLE a WITH ('x' = 'y') AS SELECT 1",
                        "CREATE OR REPLACE TEMPORARY TABLE a AS WITH b AS (SELECT 1) SELECT * FROM b",
                        "EXECUTE PLAN '/p'",
                        "ANALYZE TABLE a COMPUTE STATISTICS")) {
            assertEquals("STREAMING", mode(text, null), text);
        }
        for (String text :
                Arrays.asList(
                        "CREATE TABLE a (n INT, m AS (n + 1))",
                        "CREATE VIEW a AS SELECT 1",
                        "CREATE FUNCTION f AS 'x.Y'",
                        "EXPLAIN SELECT 1",
                        "SHOW TABLES; SET 'a' = 'b'",
                        "-- nothing")) {
            assertTrue(refused(text).contains("the script starts no job"), text);
        }
    }

    @Test
    void oneModeForAllJobs() {
        String batch = "CREATE TABLE a (n INT); SET 'execution.runtime-mode' = 'batch'; ";
        assertEquals("BATCH", mode(batch + "SELECT 1; INSERT INTO a SELECT 1", null));
        assertEquals("BATCH", mode("SELECT 1", "batch"));
        assertEquals("STREAMING", mode(batch + "RESET; SELECT 1", null));
        assertTrue(refused("SELECT 1;\n" + batch + "SELECT 2").startsWith("line 2, SELECT 2: the statements before it"));
        assertTrue(refused("SET 'execution.runtime-mode' = 'automatic'; SELECT 1").contains("streaming and batch"));
    }

    @Test
    void aSettingOfAJobCannotBeTakenBack() {
        String job = "SET 'parallelism.default' = '2'; SET 'table.a' = 'b'; SELECT 1;";
        assertTrue(refused(job + "\nRESET 'parallelism.default'; SELECT 2").startsWith("line 2, "));
        assertEquals("STREAMING", mode(job + "RESET 'table.a'; SELECT 2", null));
        assertEquals("STREAMING", mode(job + "SET 'parallelism.default' = '1'; SELECT 2", null));
    }

    @Test
    void theInnermostCauseIsTold() {
        Piece piece = Script.pieces("\nINSERT INTO a SELECT 'hush'").get(0);
        Throwable cause = new IllegalStateException("outer", new IllegalArgumentException("No a.\nMore."));
        assertEquals(
                "line 2, INSERT INTO a SELECT '...': IllegalArgumentException: No a.",
                new StatementFailed(piece, cause).getMessage());
        Throwable second = new RuntimeException("Cannot have more than one execute() or executeAsync() call");
        assertTrue(new StatementFailed(piece, second).getMessage().contains("BEGIN STATEMENT SET"));
    }
}
