package dev.heddle.agent;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;

/** Makes what a deployment returns: a provider of clients of the new cluster. */
final class Clients {
    /** Flink's client of a cluster. */
    static final String REST_CLIENT = "org.apache.flink.client.program.rest.RestClusterClient";

    private static final String PROVIDER = "org.apache.flink.client.program.ClusterClientProvider";

    private Clients() {}

    /**
     * A provider of Flink's own clients.
     *
     * @param job the job that the cluster was deployed for; null if none waits for its result
     */
    static Object provider(Descriptor descriptor, Object applicationId, AttachedJob job) throws ClassNotFoundException {
        Class<?> type = Class.forName(PROVIDER, false, descriptor.loader);
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, new Provider(descriptor, applicationId, job));
    }

    private static final class Provider implements InvocationHandler {
        private final Descriptor descriptor;
        private final Object applicationId;
        private final AttachedJob job;

        Provider(Descriptor descriptor, Object applicationId, AttachedJob job) {
            this.descriptor = descriptor;
            this.applicationId = applicationId;
            this.job = job;
        }

        @Override
        public Object invoke(Object proxy, Method method, Object[] arguments) {
            switch (method.getName()) {
                case "getClusterClient":
                    return client();
                case "equals":
                    return proxy == arguments[0];
                case "hashCode":
                    return System.identityHashCode(proxy);
                case "toString":
                    return "clients of " + applicationId;
                default:
                    throw new UnsupportedOperationException(method.toString());
            }
        }

        private Object client() {
            try {
                return job == null
                        ? descriptor.client(applicationId)
                        : descriptor.client(ClientClass.in(descriptor.loader), applicationId, job);
            } catch (Exception e) {
                // In the words of Flink's own provider.
                throw new RuntimeException("Error while creating RestClusterClient.", e);
            }
        }
    }
}
