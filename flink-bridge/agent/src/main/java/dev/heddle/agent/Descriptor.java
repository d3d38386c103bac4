package dev.heddle.agent;

import java.io.File;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A {@code YarnClusterDescriptor} of the host, or an object of a subclass. */
final class Descriptor {
    /** The class whose deployments go through heddle. */
    static final String TYPE = "org.apache.flink.yarn.YarnClusterDescriptor";

    private static final String STANDARD_YAML = "standardYaml";

    private final Object target;
    private final Class<?> type;
    private final Object configuration;

    /** The class loader that has Flink. */
    final ClassLoader loader;

    private Descriptor(Object target, Class<?> type) throws ReflectiveOperationException {
        this.target = target;
        this.type = type;
        this.loader = type.getClassLoader();
        this.configuration = Reflect.field(target, "flinkConfiguration");
    }

    static Descriptor of(Object target) throws ReflectiveOperationException {
        for (Class<?> each = target.getClass(); each != null; each = each.getSuperclass()) {
            if (each.getName().equals(TYPE)) {
                return new Descriptor(target, each);
            }
        }
        throw new ClassNotFoundException(target.getClass().getName() + " is no " + TYPE);
    }

    /** Flink's configuration, with values as text in the format of this release. */
    Map<String, String> settings() throws Exception {
        Map<String, String> settings = new TreeMap<>();
        ((Map<?, ?>) Reflect.call(configuration, "toMap")).forEach((key, value) -> settings.put((String) key, (String) value));
        return settings;
    }

    /**
     * The value of one of Flink's options whose values are lists, by the class and the field of the option.
     */
    List<String> list(String owner, String field) throws Exception {
        Object value = option(owner, field);
        List<String> list = new ArrayList<>();
        if (value != null) {
            ((List<?>) value).forEach(each -> list.add(String.valueOf(each)));
        }
        return list;
    }

    /** The value of one of Flink's options, by the class and the field of the option. */
    Object option(String owner, String field) throws Exception {
        return Reflect.call(configuration, "get", Reflect.constant(Class.forName(owner, true, loader), field));
    }

    /** The name of the file that this release reads, in whose format the values are. */
    String configurationFile() throws ReflectiveOperationException {
        try {
            // 1.19 and 1.20, in which a configuration has the format of the file that was loaded.
            return (Boolean) Reflect.field(configuration, STANDARD_YAML) ? FlinkFile.STANDARD : FlinkFile.LEGACY;
        } catch (NoSuchFieldException e) {
            Class<?> global = Class.forName("org.apache.flink.configuration.GlobalConfiguration", true, loader);
            return (String) Reflect.constant(global, "FLINK_CONF_FILENAME");
        }
    }

    /** Whether this release reads the new file as well as the old one: 1.19 and 1.20. */
    boolean readsBothFiles() throws IllegalAccessException {
        try {
            Reflect.field(configuration, STANDARD_YAML);
            return true;
        } catch (NoSuchFieldException e) {
            return false;
        }
    }

    /** The name that the application is to have, if it is not the one that the caller gives. */
    String customName() {
        try {
            return (String) Reflect.field(target, "customName");
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    /** The paths and URLs of the files to ship. */
    List<String> shipFiles() throws ReflectiveOperationException {
        return paths("shipFiles");
    }

    /** The paths and URLs of the archives to ship. */
    List<String> shipArchives() throws ReflectiveOperationException {
        return paths("shipArchives");
    }

    /** The path or URL of the flink-dist jar; null if the descriptor knows none. */
    String flinkDist() throws ReflectiveOperationException {
        Object jar = Reflect.field(target, "flinkJarPath");
        return jar == null ? null : plain(jar);
    }

    /** The jar that the descriptor's class was loaded from; null if it is not known. */
    File loadedFrom() {
        CodeSource source = type.getProtectionDomain().getCodeSource();
        return source == null || source.getLocation() == null ? null : FlinkHome.localOfUrl(source.getLocation().toString());
    }

    /**
     * The Hadoop configuration of the YARN client: the keys that are not at Hadoop's own defaults, with
     * their final values.
     */
    Map<String, String> hadoopSettings() throws Exception {
        Object hadoop = Reflect.field(target, "yarnConfiguration");
        // Looked up once, as there are more than a thousand keys.
        Method get = hadoop.getClass().getMethod("get", String.class);
        Method sources = hadoop.getClass().getMethod("getPropertySources", String.class);
        Map<String, String> settings = new TreeMap<>();
        for (Object each : (Iterable<?>) hadoop) {
            Map.Entry<?, ?> entry = (Map.Entry<?, ?>) each;
            String key = (String) entry.getKey();
            String[] from = (String[]) sources.invoke(hadoop, key);
            // The last one is the one that counts.
            if (from != null && from.length > 0 && from[from.length - 1].endsWith("-default.xml")) {
                continue;
            }
            Object value;
            try {
                value = get.invoke(hadoop, key);
            } catch (ReflectiveOperationException e) {
                // Its references cannot be resolved: whoever needs the key learns that.
                value = entry.getValue();
            }
            if (value != null) {
                settings.put(key, (String) value);
            }
        }
        return settings;
    }

    /** Hadoop's id of an application. */
    Object applicationId(String id) throws Exception {
        String[] parts = id.split("_");
        if (parts.length != 3 || !parts[0].equals("application")) {
            throw new IllegalArgumentException(id + " is no id of an application");
        }
        Class<?> ids = Class.forName("org.apache.hadoop.yarn.api.records.ApplicationId", true, loader);
        return Reflect.callStatic(ids, "newInstance", Long.parseLong(parts[1]), Integer.parseInt(parts[2]));
    }

    /**
     * Writes the address of a cluster into the configuration, as the descriptor does after its own
     * deployments.
     */
    void adopt(Object applicationId) throws Exception {
        Object report = Reflect.call(Reflect.field(target, "yarnClient"), "getApplicationReport", applicationId);
        Reflect.call(target, "setClusterEntrypointInfoToConfig", report);
    }

    /** Ends an application. */
    void kill(Object applicationId) throws Exception {
        Reflect.call(Reflect.field(target, "yarnClient"), "killApplication", applicationId);
    }

    /**
     * Writes what Flink writes after a deployment that the caller does not wait for, if there is a logger.
     */
    void tellDetached(Object applicationId) {
        try {
            Object logger = Reflect.callStatic(Class.forName("org.slf4j.LoggerFactory", true, loader), "getLogger", TYPE);
            Reflect.callStatic(type, "logDetachedClusterInformation", applicationId, logger);
        } catch (Exception | LinkageError e) {
            // It says only how the cluster is stopped.
            flinkLog().info("The cluster " + applicationId + " runs detached.");
        }
    }

    /** The log in which Flink's own deployments are told. */
    HostLog flinkLog() {
        return HostLog.of(loader, TYPE);
    }

    /** A client of the cluster whose address is in the configuration. */
    Object client(Object applicationId) throws Exception {
        return Reflect.make(Class.forName(Clients.REST_CLIENT, true, loader), configuration, applicationId);
    }

    /** As {@link #client}, with a subclass that takes one more argument. */
    Object client(Class<?> subclass, Object applicationId, Object more) throws Exception {
        return Reflect.make(subclass, configuration, applicationId, more);
    }

    /** The exception that a failed deployment of Flink's own ends with. */
    Exception failure(String message, Throwable cause) {
        try {
            Constructor<?> constructor =
                    Class.forName(TYPE + "$YarnDeploymentException", true, loader)
                            .getDeclaredConstructor(String.class, Throwable.class);
            constructor.setAccessible(true);
            return (Exception) constructor.newInstance(message, cause);
        } catch (ReflectiveOperationException | LinkageError e) {
            return new IllegalStateException(message, cause);
        }
    }

    private List<String> paths(String field) throws ReflectiveOperationException {
        List<String> paths = new ArrayList<>();
        for (Object each : (List<?>) Reflect.field(target, field)) {
            paths.add(plain(each));
        }
        return paths;
    }

    /** A {@code File}, or a path of Hadoop's or Flink's: absolute if it is of this machine, else a URL. */
    static String plain(Object path) {
        if (path instanceof File) {
            return ((File) path).getAbsolutePath();
        }
        File local = FlinkHome.local(path.toString());
        return local == null ? path.toString() : local.getPath();
    }
}
