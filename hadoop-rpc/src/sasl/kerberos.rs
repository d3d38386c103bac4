//! The kinds of problems that Kerberos has on the client's side. This crate does not speak Kerberos itself;
//! the kinds are here so that the error of a call can name one.

/// Why Kerberos failed on the client's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KerberosProblem {
    /// The Kerberos library is not installed, or is not one that can be used.
    Library,
    /// The configuration of Kerberos (krb5.conf) cannot be read, or names no default realm.
    Configuration,
    /// There are no credentials: nobody has run `kinit`, or the ticket cache is another one; and there is no
    /// token for the server.
    NoCredentials,
    /// The ticket has expired, or the key's owner has.
    Expired,
    /// The keytab cannot be read, has no key of the principal, or has one that the KDC does not accept.
    Keytab,
    /// The KDC does not know the client's principal.
    UnknownClient,
    /// The KDC does not know the server's principal.
    UnknownServer,
    /// The server names a principal that the configuration does not have for it.
    WrongServer,
    /// No KDC answers, or the configuration names none for the realm.
    KdcUnreachable,
    /// The clocks of two hosts differ by too much.
    ClockSkew,
    /// The server would take the client without any proof, which a client that is to use Kerberos or a token
    /// refuses: whoever stands between the two could have asked for it.
    Downgrade,
    /// Something else.
    Other,
}
