/**
 * The part of heddle that runs in the JVM of Flink's JobManager. Flink decides when a worker (a TaskManager)
 * is needed or idle, and heddle-am, the parent process, speaks with YARN. This package connects the two by
 * messages over a connection on 127.0.0.1, each of which is one JSON object on a line.
 *
 * <p>The same class files run on Flink 1.13 to 2.3, so they use only classes and signatures that all these
 * releases have. What is different in 1.13 is behind {@link dev.heddle.bridge.FlinkApi}, in a module that is
 * compiled with 1.13.
 */
package dev.heddle.bridge;
