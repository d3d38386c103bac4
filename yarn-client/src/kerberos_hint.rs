//! Says what a user can do about a problem of Kerberos. The error itself says what the problem is.

use hadoop_rpc::KerberosProblem;

/// What a user can do about a problem of Kerberos.
pub(crate) fn kerberos_hint(problem: KerberosProblem) -> &'static str {
    match problem {
        KerberosProblem::Library => {
            "install MIT Kerberos: `apt-get install libgssapi-krb5-2` (Debian, Ubuntu), `dnf install krb5-libs` (RHEL, Fedora)"
        }
        KerberosProblem::Configuration => {
            "check krb5.conf, which names the realm and its `kdc`: /etc/krb5.conf, or the file of KRB5_CONFIG or security.kerberos.krb5-conf.path"
        }
        KerberosProblem::NoCredentials => {
            "run kinit, or set security.kerberos.login.keytab and security.kerberos.login.principal; `klist` shows the tickets that there are"
        }
        KerberosProblem::Expired => "run kinit again; `klist` shows how long a ticket lives",
        KerberosProblem::Keytab => {
            "check security.kerberos.login.keytab and security.kerberos.login.principal; `klist -kt FILE` lists a keytab, and `kinit -kt FILE PRINCIPAL` tries it"
        }
        KerberosProblem::UnknownClient => {
            "check the principal and its realm, or have the KDC's administrator add it"
        }
        KerberosProblem::UnknownServer => {
            "check the server's principal in the Hadoop configuration, and that the address there has the host name that the principal has"
        }
        KerberosProblem::WrongServer => {
            "if the server is the right one, correct its principal in the Hadoop configuration, or allow others with the key that ends in `.pattern`"
        }
        KerberosProblem::KdcUnreachable => {
            "check that the KDC runs, and the realm's `kdc` in krb5.conf (KRB5_CONFIG)"
        }
        KerberosProblem::ClockSkew => "set the clocks of this host and of the KDC right (NTP)",
        KerberosProblem::Downgrade => {
            "if the cluster has no Kerberos, HADOOP_CONF_DIR must lead to its own configuration, in which hadoop.security.authentication is simple; if it has, find out who answers at that address"
        }
        KerberosProblem::Other => "`KRB5_TRACE=/dev/stderr` shows what the Kerberos library does",
    }
}
