/**
 * The part of heddle that runs inside Flink's JobManager. Flink decides when a worker is needed or idle; heddle-am, the
 * parent process, talks to YARN; this package carries what one says to the other, one JSON object per line over loopback.
 *
 * <p>The same class files run on Flink 1.13 to 2.3, so only classes and signatures that all those releases have are used; what
 * 1.13 has otherwise stands behind {@link dev.heddle.bridge.FlinkApi}, in a module that is compiled against it.
 */
package dev.heddle.bridge;
