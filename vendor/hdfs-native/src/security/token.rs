use std::fmt;

/// Where a client gets its delegation tokens from.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// The delegation token for the NameNode or name service of this authority (`host:port`, or
    /// the name of the name service), if there is one.
    ///
    /// Called for each new connection, inside the task that makes the connection, so it must not
    /// block.
    fn token(&self, authority: &str) -> Option<DelegationToken>;
}

/// A delegation token of HDFS.
#[derive(Clone, PartialEq, Eq)]
pub struct DelegationToken {
    /// Tells the server who the token's owner is. It is not secret.
    pub identifier: Vec<u8>,
    /// The secret that the client and the server share.
    pub password: Vec<u8>,
    /// Such as `HDFS_DELEGATION_TOKEN`.
    pub kind: String,
    /// Such as `192.0.2.1:8020` or `ha-hdfs:ns`.
    pub service: String,
}

impl fmt::Debug for DelegationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationToken")
            .field("kind", &self.kind)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::DelegationToken;

    #[test]
    fn debug_does_not_show_the_password() {
        let token = DelegationToken {
            identifier: b"identifier".to_vec(),
            password: b"password".to_vec(),
            kind: "HDFS_DELEGATION_TOKEN".to_string(),
            service: "192.0.2.1:8020".to_string(),
        };
        assert_eq!(
            format!("{token:?}"),
            r#"DelegationToken { kind: "HDFS_DELEGATION_TOKEN", service: "192.0.2.1:8020", .. }"#
        );
    }
}
