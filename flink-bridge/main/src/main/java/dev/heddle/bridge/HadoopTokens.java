package dev.heddle.bridge;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.SecurityOptions;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataOutputStream;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.UndeclaredThrowableException;
import java.net.URI;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Obtains delegation tokens for file systems, with the keytab of this JobManager, when heddle-am asks for them. The tokens with which
 * an application is started end after some days, and heddle-am has no keytab. It gives the new ones to the containers that it starts,
 * whose files YARN could not fetch otherwise.
 *
 * <p>Flink obtains tokens itself, in another way in each release, and some only for its TaskManagers. This is independent of it.
 *
 * <p>Hadoop may be absent, so its classes are reached by reflection. They are the same in all its releases.
 */
final class HadoopTokens {
    private static final Logger LOG = LoggerFactory.getLogger(HadoopTokens.class);
    private static final String CONFIGURATION = "org.apache.hadoop.conf.Configuration";
    private static final String CREDENTIALS = "org.apache.hadoop.security.Credentials";
    private static final String FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem";
    private static final String USER = "org.apache.hadoop.security.UserGroupInformation";
    /** Of Flink, but its methods return Hadoop's classes. */
    private static final String HADOOP_UTILS = "org.apache.flink.runtime.util.HadoopUtils";
    /** The most characters of a failure that are told. */
    private static final int LONGEST_FAILURE = 2000;

    private final Configuration flink;
    private final AmLink link;
    private final AtomicBoolean underWay = new AtomicBoolean();

    HadoopTokens(Configuration flink, AmLink link) {
        this.flink = flink;
        this.link = link;
    }

    /** Whether there is a keytab, and a Hadoop that wants one. Flink has given its configuration to Hadoop before. */
    boolean arePossible() {
        if (keytab() == null || principal() == null) {
            return false;
        }
        try {
            return (Boolean) type(USER).getMethod("isSecurityEnabled").invoke(null);
        } catch (ReflectiveOperationException | LinkageError e) {
            LOG.info("No delegation tokens can be obtained for heddle-am: {}", describe(e));
            return false;
        }
    }

    /**
     * Obtains tokens and sends them to heddle-am, or the reason why there are none. That takes its time, so it happens in another thread.
     *
     * @param fileSystems their URLs
     */
    void obtain(List<String> fileSystems) {
        // heddle-am asks again when no answer has come in time, and the answer of the first time serves it, too.
        if (!underWay.compareAndSet(false, true)) {
            return;
        }
        Runnable work =
                () -> {
                    try {
                        link.send(answer(fileSystems));
                    } finally {
                        underWay.set(false);
                    }
                };
        Thread thread = new Thread(work, "heddle-hadoop-tokens");
        thread.setDaemon(true);
        thread.start();
    }

    /** The message for heddle-am. */
    String answer(List<String> fileSystems) {
        try {
            Obtained obtained = obtainAs(login(), fileSystems);
            return BridgeMessages.tokens(obtained.credentials, obtained.expires, obtained.failure());
        } catch (ReflectiveOperationException | IOException | RuntimeException | LinkageError e) {
            LOG.warn("Delegation tokens could not be obtained for heddle-am.", e);
            return BridgeMessages.tokens(null, 0, describe(e));
        }
    }

    /** What has come of it. */
    private static final class Obtained {
        /** The bytes of a credentials file; null if there is no token. */
        byte[] credentials;
        /** When the first token ends, ms since 1970; 0 if that is not known. */
        long expires;

        private final List<String> failures = new ArrayList<>();

        /** Null if nothing failed. */
        String failure() {
            return failures.isEmpty() ? null : String.join("; ", failures);
        }
    }

    /**
     * A login of its own: that of this process may have tokens by now, which Hadoop's client prefers, and a NameNode gives a token only
     * to someone who comes with a ticket.
     */
    private Object login() throws ReflectiveOperationException {
        return type(USER)
                .getMethod("loginUserFromKeytabAndReturnUGI", String.class, String.class)
                .invoke(null, principal(), new File(keytab()).getAbsolutePath());
    }

    private Obtained obtainAs(Object user, List<String> fileSystems) throws ReflectiveOperationException, IOException {
        Object hadoop =
                type(HADOOP_UTILS).getMethod("getHadoopConfiguration", Configuration.class).invoke(null, flink);
        // The user may renew them, which tells when they end. YARN does not know of them, and would not renew them.
        String renewer = (String) type(USER).getMethod("getUserName").invoke(user);
        Object credentials = type(CREDENTIALS).getConstructor().newInstance();
        Obtained obtained = new Obtained();
        PrivilegedExceptionAction<Void> action =
                () -> {
                    for (String url : fileSystems) {
                        try {
                            addTokens(url, renewer, hadoop, credentials);
                        } catch (ReflectiveOperationException | IOException | RuntimeException | LinkageError e) {
                            LOG.warn("No delegation token could be obtained for {}.", url, e);
                            obtained.failures.add(url + ": " + describe(e));
                        }
                    }
                    obtained.expires = firstEnd(credentials, hadoop);
                    return null;
                };
        type(USER).getMethod("doAs", PrivilegedExceptionAction.class).invoke(user, action);
        if ((Integer) type(CREDENTIALS).getMethod("numberOfTokens").invoke(credentials) > 0) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            type(CREDENTIALS)
                    .getMethod("writeTokenStorageToStream", DataOutputStream.class)
                    .invoke(credentials, new DataOutputStream(bytes));
            obtained.credentials = bytes.toByteArray();
        } else if (obtained.failures.isEmpty()) {
            obtained.failures.add("the file systems give no tokens");
        }
        return obtained;
    }

    private static void addTokens(String url, String renewer, Object hadoop, Object credentials)
            throws ReflectiveOperationException, IOException {
        // A new one: those in Hadoop's cache belong to other logins, and one that is put there would stay.
        Object fileSystem =
                type(FILE_SYSTEM)
                        .getMethod("newInstance", URI.class, type(CONFIGURATION))
                        .invoke(null, URI.create(url), hadoop);
        try (Closeable closed = (Closeable) fileSystem) {
            type(FILE_SYSTEM)
                    .getMethod("addDelegationTokens", String.class, type(CREDENTIALS))
                    .invoke(closed, renewer, credentials);
        }
    }

    /** When the first of the tokens ends, as far as a renewal tells; 0 if none does. */
    private static long firstEnd(Object credentials, Object hadoop) throws ReflectiveOperationException {
        long first = 0;
        for (Object token : (Collection<?>) type(CREDENTIALS).getMethod("getAllTokens").invoke(credentials)) {
            try {
                long end = (Long) token.getClass().getMethod("renew", type(CONFIGURATION)).invoke(token, hadoop);
                first = first == 0 ? end : Math.min(first, end);
            } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
                LOG.debug("A delegation token does not tell when it ends.", e);
            }
        }
        return first;
    }

    /** What has failed, without the layers of reflection, in one line. */
    static String describe(Throwable error) {
        Throwable cause = error;
        while ((cause instanceof InvocationTargetException || cause instanceof UndeclaredThrowableException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        String text = cause.toString().replaceAll("\\s+", " ");
        return text.length() <= LONGEST_FAILURE ? text : text.substring(0, LONGEST_FAILURE) + "...";
    }

    private String keytab() {
        return flink.get(SecurityOptions.KERBEROS_LOGIN_KEYTAB);
    }

    private String principal() {
        return flink.get(SecurityOptions.KERBEROS_LOGIN_PRINCIPAL);
    }

    private static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(name);
    }
}
