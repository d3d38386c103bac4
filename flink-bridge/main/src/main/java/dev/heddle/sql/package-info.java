/**
 * Runs a SQL script as the program of an application, in the JobManager of Flink 1.13 to 1.20. From 2.0 on,
 * Flink has a program of its own for that ({@code SqlDriver}).
 *
 * <p>Flink's Table API executes single statements, and has none for the commands of Flink's SQL client, such
 * as {@code SET} and {@code BEGIN STATEMENT SET}. So this package divides the script and carries out these
 * commands itself. It uses only classes and signatures of the Table API that all these releases have. They
 * are on Flink's own class path, and so is this package, which is part of the bridge's jar.
 */
package dev.heddle.sql;
