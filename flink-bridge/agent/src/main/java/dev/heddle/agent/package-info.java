/**
 * A Java agent for programs that deploy Flink on YARN inside their own JVM. It puts one call in front of the
 * private method of Flink's {@code YarnClusterDescriptor} through which all deployments go, and deploys by
 * the program {@code heddle}. What heddle cannot do goes on as before.
 *
 * <p>All classes are in the system class loader, to which the JVM adds the jar of an agent. The changed
 * classes of Flink ask that loader for the hooks, so it does not matter in which loader Flink is, or how that
 * one looks for classes. The bootstrap class path would do as well, but what is added to it costs the host
 * its class data archives, and a warning of the JVM on standard output.
 *
 * <p>The classes name no class of Flink, Hadoop or the host: they reach those by reflection, through the
 * class loader of the descriptor. Nothing that is static refers to a class or an object of the host, which
 * could otherwise not be unloaded.
 */
package dev.heddle.agent;
