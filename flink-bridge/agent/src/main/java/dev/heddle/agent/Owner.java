package dev.heddle.agent;

import java.util.Collections;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * As whom a descriptor speaks with YARN: as the user in whose name it was made, together with its YARN
 * client. Some tools make it inside {@code UserGroupInformation.doAs} and deploy outside. So the user is
 * noted when the descriptor is made.
 */
final class Owner {
    /** Plain text for each descriptor that still is in use. */
    private static final Map<Object, Owner> OWNERS = Collections.synchronizedMap(new WeakHashMap<>());

    /** The user, by Hadoop's full name. */
    final String user;

    /** The user who acts for that one; null if nobody does. */
    final String real;

    /** The user as whom this process has logged in to Hadoop. */
    final String login;

    /** Whether the cluster has Kerberos. */
    final boolean secured;

    /** Whether the login of this process comes from a keytab. */
    final boolean fromKeytab;

    Owner(String user, String real, String login, boolean secured, boolean fromKeytab) {
        this.user = user;
        this.real = real;
        this.login = login;
        this.secured = secured;
        this.fromKeytab = fromKeytab;
    }

    /** Notes the current user as that of a new descriptor. It never fails. */
    static void note(Object descriptor) {
        try {
            OWNERS.put(descriptor, current(descriptor.getClass().getClassLoader()));
        } catch (Exception | LinkageError e) {
            // The deployment asks again, and says what is wrong.
            OWNERS.remove(descriptor);
        }
    }

    /** The user of a descriptor; the current one if the descriptor is older than the agent. */
    static Owner of(Object descriptor) throws Exception {
        Owner noted = OWNERS.get(descriptor);
        return noted == null ? current(descriptor.getClass().getClassLoader()) : noted;
    }

    private static Owner current(ClassLoader loader) throws Exception {
        Class<?> users = Class.forName("org.apache.hadoop.security.UserGroupInformation", true, loader);
        Object user = Reflect.callStatic(users, "getCurrentUser");
        Object real = Reflect.call(user, "getRealUser");
        Object login = Reflect.callStatic(users, "getLoginUser");
        // With HADOOP_PROXY_USER the login itself acts for somebody.
        Object acts = Reflect.call(login, "getRealUser");
        login = acts == null ? login : acts;
        return new Owner(
                (String) Reflect.call(user, "getUserName"),
                real == null ? null : (String) Reflect.call(real, "getUserName"),
                (String) Reflect.call(login, "getUserName"),
                (Boolean) Reflect.callStatic(users, "isSecurityEnabled"),
                (Boolean) Reflect.call(login, "isFromKeytab"));
    }

    /**
     * Whom the user is acted for by: the user of the request as {@code HADOOP_PROXY_USER}; null if nobody
     * acts.
     */
    String proxyUser() {
        return real == null ? null : user;
    }

    /**
     * The user of the request as {@code HADOOP_USER_NAME}; null on a cluster with Kerberos, where nobody may
     * claim one.
     */
    String hadoopUser() {
        return secured ? null : real == null ? user : real;
    }

    /**
     * Checks that another process can log in as this user.
     *
     * @param configured whether the descriptor's configuration names a keytab
     * @param principal the principal that it names; null if it names none
     * @throws Left if only this process can
     */
    void check(boolean configured, String principal) throws Left {
        if (!secured) {
            return;
        }
        String base = real == null ? user : real;
        if (!base.equals(login)) {
            throw new Left(base + " is logged in inside this process, beside its own login as " + login);
        }
        if (principal != null && !principal.equals(base) && !base.startsWith(principal + "@")) {
            throw new Left("this process has logged in as " + base + ", and Flink's configuration names the principal "
                    + principal + " (security.kerberos.login.principal), as whom heddle would deploy");
        }
        if (fromKeytab && !configured) {
            throw new Left("this process has logged in as " + login + " from a keytab that Flink's configuration does not name"
                    + " (security.kerberos.login.keytab)");
        }
    }
}
