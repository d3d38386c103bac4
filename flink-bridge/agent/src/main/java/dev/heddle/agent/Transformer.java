package dev.heddle.agent;

import java.lang.instrument.ClassFileTransformer;
import java.security.ProtectionDomain;

/** Changes the classes of Flink through which deployments go, when a class loader loads them. */
final class Transformer implements ClassFileTransformer {
    /** Whether a class is one of those, by its internal name. */
    static boolean isWanted(String name) {
        return Patch.DESCRIPTOR.equals(name) || Patch.EXECUTORS.equals(name);
    }

    @Override
    public byte[] transform(
            ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] content) {
        if (name == null || loader == null || !isWanted(name)) {
            return null;
        }
        try {
            return Patch.apply(name, content);
        } catch (Left e) {
            Agent.tell(name.replace('/', '.') + " is left alone: " + e.getMessage());
        } catch (RuntimeException | LinkageError e) {
            Agent.tell(name.replace('/', '.') + " is left alone: " + e);
        }
        return null;
    }
}
