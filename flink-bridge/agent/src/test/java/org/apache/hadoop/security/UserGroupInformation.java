package org.apache.hadoop.security;

/** A stand-in with what the agent calls of it. */
public final class UserGroupInformation {
    /** The user in whose name the calling thread acts. */
    public static final ThreadLocal<String> ACTING = new ThreadLocal<>();

    private final String name;

    private UserGroupInformation(String name) {
        this.name = name;
    }

    public static UserGroupInformation getCurrentUser() {
        String acting = ACTING.get();
        return acting == null ? getLoginUser() : new UserGroupInformation(acting);
    }

    public static UserGroupInformation getLoginUser() {
        return new UserGroupInformation("gateway");
    }

    public static boolean isSecurityEnabled() {
        return false;
    }

    public UserGroupInformation getRealUser() {
        return name.equals("gateway") ? null : getLoginUser();
    }

    public String getUserName() {
        return name;
    }

    public boolean isFromKeytab() {
        return false;
    }
}
