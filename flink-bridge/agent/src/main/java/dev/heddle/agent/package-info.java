/**
 * A Java agent for programs that deploy Flink on YARN inside their own JVM. It puts one call in front of the
 * private method of Flink's {@code YarnClusterDescriptor} through which all deployments go, and deploys by
 * the program {@code heddle}. What heddle cannot do goes on as before.
 *
 * <p>All classes are on the bootstrap class path, where every class loader finds them, however it is made.
 * So they name no class of Flink, Hadoop or the host: they reach those by reflection, through the class
 * loader of the descriptor. Nothing that is static refers to a class or an object of the host, which could
 * otherwise not be unloaded.
 */
package dev.heddle.agent;
