//! Which protocol a client speaks, and with what its servers let a client prove who it is.

/// The Java interface that is called, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// Its fully qualified name, such as `org.apache.hadoop.hdfs.protocol.ClientProtocol`.
    pub name: &'static str,
    /// The version of the interface, nearly always 1.
    pub version: u64,
    /// How a secured cluster authenticates its clients. `None`: the protocol is used only with an
    /// [`AuthPolicy`](crate::AuthPolicy) that its caller makes.
    pub security: Option<ProtocolSecurity>,
}

/// What Java declares at the interface of a protocol with `@KerberosInfo` and `@TokenInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolSecurity {
    /// The key of the configuration with the principal of the servers, such as
    /// `dfs.namenode.kerberos.principal`.
    pub principal_key: &'static str,
    /// The kind of the tokens that the servers accept, such as `HDFS_DELEGATION_TOKEN`.
    pub token_kind: &'static str,
}
