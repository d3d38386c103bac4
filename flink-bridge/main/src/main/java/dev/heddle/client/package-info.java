/**
 * A file system for {@code hdfs://} in the JVM that runs a program's {@code main()} on the client's machine,
 * where Hadoop's classes are not on the class path. Each operation is carried out by a process of the program
 * {@code heddle} ({@code heddle client-fs}).
 *
 * <p>The package is a separate jar, {@code flink-client-fs.jar}, which must not get to the cluster, where it
 * would hide Hadoop's file system. The same class files run on Flink 1.14 to 2.3.
 */
package dev.heddle.client;
