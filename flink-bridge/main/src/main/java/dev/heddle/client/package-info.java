/**
 * {@code hdfs://} for the JVM that runs a program's {@code main()} on the client's machine, where Hadoop's classes are not on the
 * class path. Operations are done by the program {@code heddle} ({@code heddle client-fs}), one process each.
 *
 * <p>A jar of its own, {@code flink-client-fs.jar}: on the cluster it would hide Hadoop's file system, so nothing of it may get
 * there. The same class files run on Flink 1.14 to 2.3.
 */
package dev.heddle.client;
