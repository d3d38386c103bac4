//! What a NodeManager needs to start a container.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::enums::{AccessType, LocalResourceType, Visibility};
use super::wire::to_i64;
use crate::proto::yarn as pb;

/// A text that is no URL of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is no URL of a file: {why}")]
pub struct ParseUrlError {
    value: String,
    why: &'static str,
}

/// Where a NodeManager fetches a file: `scheme://[user@]host[:port]/path`.
///
/// The path is Hadoop's: raw text without percent-encoding, so spaces, `%` and `#` stand for themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceUrl {
    /// `hdfs`, `file`, …
    pub scheme: String,
    /// User part of the authority.
    pub user_info: Option<String>,
    /// Host or logical name; none for `file:///…`.
    pub host: Option<String>,
    /// Port; none for a logical name.
    pub port: Option<u16>,
    /// Absolute path.
    pub path: String,
}

impl FromStr for ResourceUrl {
    type Err = ParseUrlError;

    fn from_str(text: &str) -> Result<Self, ParseUrlError> {
        let fail = |why| ParseUrlError { value: text.to_owned(), why };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| fail("it has no scheme"))?;
        let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !letters || !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(fail("it has no scheme"));
        }
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').ok_or_else(|| fail("it has no path"))?),
            None => ("", rest),
        };
        if !path.starts_with('/') {
            return Err(fail("its path is not absolute"));
        }
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, authority),
        };
        let (host, port) = match host_port.rsplit_once(':') {
            Some((host, port)) if !host_port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| fail("its port is no port number"))?))
            }
            _ => (host_port, None),
        };
        if host.is_empty() && (port.is_some() || user_info.is_some()) {
            return Err(fail("it has a port or a user, but no host"));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            user_info,
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for ResourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user_info {
            write!(f, "{user}@")?;
        }
        f.write_str(self.host.as_deref().unwrap_or_default())?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

impl ResourceUrl {
    fn to_proto(&self) -> pb::Url {
        pb::Url {
            scheme: Some(self.scheme.clone()),
            host: self.host.clone(),
            // Hadoop writes -1 where there is no port.
            port: Some(self.port.map_or(-1, i32::from)),
            file: Some(self.path.clone()),
            user_info: self.user_info.clone(),
        }
    }
}

/// A file that the NodeManager places in the container's working directory before it starts the process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalResource {
    /// Where it is.
    pub url: ResourceUrl,
    /// Its size in bytes; the NodeManager refuses another.
    pub size: u64,
    /// Its modification time in ms since 1970; the NodeManager refuses another.
    pub timestamp: u64,
    /// What is done with it.
    pub kind: LocalResourceType,
    /// Who shares it.
    pub visibility: Visibility,
    /// For [`LocalResourceType::Pattern`]: the Java regular expression of entries to unpack.
    pub pattern: Option<String>,
}

impl LocalResource {
    fn to_proto(&self) -> pb::LocalResource {
        pb::LocalResource {
            resource: Some(self.url.to_proto()),
            size: Some(to_i64(self.size)),
            timestamp: Some(to_i64(self.timestamp)),
            r#type: Some(self.kind.number()),
            visibility: Some(self.visibility.number()),
            pattern: self.pattern.clone(),
        }
    }
}

/// How to start a container.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContainerLaunchContext {
    /// Path in the working directory → file.
    pub local_resources: BTreeMap<String, LocalResource>,
    /// Environment variables; the NodeManager's shell expands `$NAME` and `{{NAME}}` in their values.
    pub environment: BTreeMap<String, String>,
    /// Command line, joined by blanks and run by a shell; `<LOG_DIR>` stands for the log directory.
    pub commands: Vec<String>,
    /// A credentials file (its bytes) for the container; empty for none.
    pub tokens: Vec<u8>,
    /// Who may see and change the application, as `user,user group,group`.
    pub acls: BTreeMap<AccessType, String>,
    /// Data for auxiliary services of the NodeManager, by their names.
    pub service_data: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for ContainerLaunchContext {
    /// Leaves out what may be secret: tokens, service data, and the values of environment variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerLaunchContext")
            .field("local_resources", &self.local_resources)
            .field("environment", &self.environment.keys())
            .field("commands", &self.commands)
            .field("tokens", &format_args!("{} bytes", self.tokens.len()))
            .field("acls", &self.acls)
            .field("service_data", &self.service_data.keys())
            .finish()
    }
}

impl ContainerLaunchContext {
    pub(crate) fn to_proto(&self) -> pb::ContainerLaunchContext {
        let local_resources = self.local_resources.iter().map(|(name, resource)| pb::LocalResourcePair {
            key: Some(name.clone()),
            value: Some(resource.to_proto()),
        });
        let environment = self
            .environment
            .iter()
            .map(|(key, value)| pb::StringPair { key: Some(key.clone()), value: Some(value.clone()) });
        let service_data = self
            .service_data
            .iter()
            .map(|(key, value)| pb::BytesPair { key: Some(key.clone()), value: Some(value.clone()) });
        let acls = self.acls.iter().map(|(access, acl)| pb::ApplicationAcl {
            access_type: Some(access.number()),
            acl: Some(acl.clone()),
        });
        pb::ContainerLaunchContext {
            local_resources: local_resources.collect(),
            tokens: (!self.tokens.is_empty()).then(|| self.tokens.clone()),
            service_data: service_data.collect(),
            environment: environment.collect(),
            command: self.commands.clone(),
            application_acls: acls.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_urls() {
        let url: ResourceUrl = "hdfs://nn.example:8020/user/a b/x#1%.jar".parse().unwrap();
        assert_eq!((url.host.as_deref(), url.port), (Some("nn.example"), Some(8020)));
        assert_eq!(url.path, "/user/a b/x#1%.jar");
        let url: ResourceUrl = "hdfs://nameservice/x".parse().unwrap();
        assert_eq!((url.host.as_deref(), url.port), (Some("nameservice"), None));
        assert_eq!(url.to_proto().port, Some(-1));
        let url: ResourceUrl = "file:/tmp/x".parse().unwrap();
        assert_eq!((url.host.clone(), url.to_string().as_str()), (None, "file:///tmp/x"));
        let url: ResourceUrl = "abfs://box@account.example/x".parse().unwrap();
        assert_eq!((url.user_info.as_deref(), url.host.as_deref()), (Some("box"), Some("account.example")));
        let url: ResourceUrl = "hdfs://[::1]:9000/x".parse().unwrap();
        assert_eq!((url.host.as_deref(), url.port), (Some("[::1]"), Some(9000)));
        for bad in
            ["", "/tmp/x", "hdfs://host", "hdfs:x", "hdfs://host:port/x", "hdfs://:1/x", "1:/x", "://h/x"]
        {
            assert!(bad.parse::<ResourceUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let context = ContainerLaunchContext {
            environment: [("SECRET".to_owned(), "s3cret".to_owned())].into(),
            tokens: b"s3cret".to_vec(),
            ..Default::default()
        };
        let shown = format!("{context:?} {:?}", context.to_proto().environment.len());
        assert!(
            !shown.contains("s3cret") && shown.contains("SECRET") && shown.contains("6 bytes"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn url_survives_text(scheme in "[a-z][a-z0-9+.-]{0,6}", host in "[a-z][a-z0-9.-]{0,12}", port: Option<u16>, path in "/\\PC{0,20}") {
            let url = ResourceUrl { scheme, user_info: None, host: Some(host), port, path };
            prop_assert_eq!(url.to_string().parse::<ResourceUrl>(), Ok(url));
        }

        #[test]
        fn any_url_is_read_or_refused(text in "[a-z:/@\\[\\]0-9 ]{0,20}|\\PC{0,30}") {
            let _ = text.parse::<ResourceUrl>();
        }
    }
}
