package dev.heddle.agent;

import java.io.File;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Where the distribution of Flink is that a descriptor belongs to. */
final class FlinkHome {
    private static final Pattern SCHEME = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:");

    /** The directory of the distribution; null if none is found. */
    final File home;

    /** The directory with Flink's libraries; null if none is found. */
    final File lib;

    private FlinkHome(File home, File lib) {
        this.home = home;
        this.lib = lib;
    }

    /**
     * Looks for the distribution.
     *
     * @param dist the path or URL of the flink-dist jar that is deployed, or null
     * @param loaded the jar that the descriptor's class was loaded from, or null
     * @param confDir Flink's configuration directory on this machine, or null
     * @param shipped the files that the caller ships by itself. If a directory {@code lib} is among them, it
     *     brings Flink's libraries, and those of a distribution that was only found must not be added.
     * @param environment the variables of this process
     */
    static FlinkHome find(String dist, File loaded, String confDir, List<String> shipped, Map<String, String> environment) {
        boolean brought = shipped.stream().anyMatch(path -> new File(path).getName().equals("lib"));
        File home = brought ? null : home(dist, loaded, confDir, environment);
        // As in Flink, whose client takes its libraries from there, if it is set.
        String variable = environment.get("FLINK_LIB_DIR");
        File found = home == null ? null : new File(home, "lib");
        File lib = variable != null && new File(variable).isDirectory() ? new File(variable) : found;
        return new FlinkHome(home, lib);
    }

    private static File home(String dist, File loaded, String confDir, Map<String, String> environment) {
        File home = above(dist == null ? null : local(dist));
        home = home == null ? above(loaded) : home;
        // Other directories are of this release only if they have the same jar.
        String jar = dist == null ? null : dist.substring(dist.lastIndexOf('/') + 1);
        List<File> others = new ArrayList<>();
        if (confDir != null) {
            others.add(new File(confDir).getAbsoluteFile().getParentFile());
        }
        if (environment.get("FLINK_HOME") != null) {
            others.add(new File(environment.get("FLINK_HOME")));
        }
        for (File other : others) {
            if (home == null && other != null && has(other, jar)) {
                home = other;
            }
        }
        return home;
    }

    /**
     * A path of this machine as such, made absolute; null for what is elsewhere.
     *
     * @param path a path, or a URL in which nothing is escaped, as the paths of Flink and Hadoop write it
     */
    static File local(String path) {
        if (path.startsWith("file:")) {
            String rest = path.substring("file:".length());
            // An authority says nothing.
            int root = rest.startsWith("//") ? rest.indexOf('/', 2) : 0;
            return root < 0 ? null : new File(rest.substring(root));
        }
        return SCHEME.matcher(path).lookingAt() ? null : new File(path).getAbsoluteFile();
    }

    /** As {@link #local} for a URL in which characters may be escaped. */
    static File localOfUrl(String url) {
        try {
            URI uri = new URI(url);
            if ("file".equals(uri.getScheme()) && uri.getPath() != null) {
                return new File(uri.getPath());
            }
        } catch (URISyntaxException e) {
            // Then nothing in it is escaped.
        }
        return local(url);
    }

    private static File above(File jar) {
        if (jar == null || !isDist(jar.getName()) || !jar.isFile()) {
            return null;
        }
        File lib = jar.getAbsoluteFile().getParentFile();
        return "lib".equals(lib.getName()) ? lib.getParentFile() : null;
    }

    private static boolean has(File home, String jar) {
        File lib = new File(home, "lib");
        if (jar != null && isDist(jar)) {
            return new File(lib, jar).isFile();
        }
        String[] dists = lib.list((directory, name) -> isDist(name));
        return dists != null && dists.length == 1;
    }

    private static boolean isDist(String name) {
        return name.startsWith("flink-dist") && name.endsWith(".jar");
    }
}
