//! Which file system a URL or a path belongs to, and which absolute path it has there. The module splits URLs
//! as plain text, because Hadoop's paths are not percent-encoded.

use hadoop_rpc::{ConfError, Endpoint, EndpointError, HadoopConf};

use crate::error::{FsError, FsErrorKind};

/// The port of a NameNode whose URL names no port.
const NAMENODE_PORT: u16 = 8020;
/// What the service of a token begins with if the token is for all NameNodes of a nameservice.
const LOGICAL: &str = "ha-hdfs:";

/// A file system, as the part of a URL before the path names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// `hdfs://host:port` or `hdfs://nameservice`, or `scheme://authority` of another file system.
    pub(crate) root: String,
    /// The server, for messages: `NameNode host:port` or `nameservice 'x' (host:port, host:port)`.
    pub(crate) server: String,
    /// Whether the authority is a nameservice, which stands for several NameNodes.
    pub(crate) logical: bool,
}

/// Splits `scheme://authority/path` into its three parts; the authority of `scheme:/path` is empty. `None` if
/// the text has no scheme and so is a path.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !is_scheme {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Some((scheme, authority, path))
        }
        None if rest.starts_with('/') => Some((scheme, "", rest)),
        None => None,
    }
}

impl Location {
    #[cfg(feature = "hdrs")]
    pub(crate) fn is_hdfs(&self) -> bool {
        self.root.starts_with("hdfs:")
    }

    /// The file system that `url` is on. If there is no URL, or a path without a scheme, it is the default
    /// file system (`fs.defaultFS`).
    pub(crate) fn find(conf: &HadoopConf, url: Option<&str>) -> Result<Self, FsError> {
        let default =
            || conf.get_or("fs.defaultFS", "file:///").map_err(|e| bad_conf(url.unwrap_or_default(), &e));
        let text = match url.filter(|u| split(u).is_some()) {
            Some(url) => url.to_owned(),
            None => default()?,
        };
        let (scheme, authority, _) = split(&text).unwrap_or((text.as_str(), "", ""));
        let fail = |kind, why: String| Err(FsError::new(kind, "use", &*text, "", why));
        // The scheme `file` is refused below, because the nodes of the cluster cannot read the file system of
        // this machine.
        if cfg!(feature = "hdrs") && split(&text).is_some() && !matches!(scheme, "hdfs" | "file") {
            if authority.is_empty() {
                return fail(FsErrorKind::InvalidArgument, "it names no host or bucket".into());
            }
            let root = format!("{scheme}://{authority}");
            return Ok(Self { server: format!("file system {root}"), root, logical: false });
        }
        if scheme != "hdfs" {
            let from = if url.is_none() { " (fs.defaultFS)" } else { "" };
            return fail(
                FsErrorKind::Unsupported,
                format!("file systems of type '{scheme}'{from} are not supported, only hdfs"),
            );
        }
        let authority = match authority {
            "" => {
                let default = default()?;
                match split(&default) {
                    Some(("hdfs", authority, _)) if !authority.is_empty() => authority.to_owned(),
                    _ => {
                        return fail(
                            FsErrorKind::InvalidArgument,
                            format!("it names no host, and fs.defaultFS is {default}"),
                        );
                    }
                }
            }
            authority => authority.to_owned(),
        };
        Self::of_authority(conf, &authority, &text)
    }

    /// As [`Self::find`], but `None` if the file system is not HDFS.
    pub(crate) fn hdfs(conf: &HadoopConf, url: Option<&str>) -> Result<Option<Self>, FsError> {
        let text = match url.filter(|u| split(u).is_some()) {
            Some(url) => url.to_owned(),
            None => {
                conf.get_or("fs.defaultFS", "file:///").map_err(|e| bad_conf(url.unwrap_or_default(), &e))?
            }
        };
        match split(&text) {
            Some(("hdfs", ..)) => Self::find(conf, url).map(Some),
            _ => Ok(None),
        }
    }

    /// The HDFS whose delegation tokens have this service: `ha-hdfs:nameservice` or `host:port`.
    pub(crate) fn of_service(conf: &HadoopConf, service: &str) -> Result<Self, FsError> {
        const FIND: &str = "find the NameNode for the token of";
        if let Some(nameservice) = service.strip_prefix(LOGICAL) {
            let found = Self::of_authority(conf, nameservice, service)?;
            if !found.logical {
                let why = format!("dfs.ha.namenodes.{nameservice} is not set");
                return Err(FsError::new(FsErrorKind::Configuration, FIND, service, "", why));
            }
            return Ok(found);
        }
        let endpoint = service
            .parse::<Endpoint>()
            .map_err(|e| FsError::new(FsErrorKind::InvalidArgument, FIND, service, "", e.to_string()))?;
        let server = format!("NameNode {endpoint}");
        Ok(Self { root: format!("hdfs://{endpoint}"), server, logical: false })
    }

    /// The name of the nameservice, if it is one.
    pub(crate) fn nameservice(&self) -> Option<&str> {
        self.root.strip_prefix("hdfs://").filter(|_| self.logical)
    }

    /// The service that delegation tokens have if they are for all NameNodes of a nameservice.
    pub(crate) fn logical_service(&self) -> Option<String> {
        self.nameservice().map(|nameservice| format!("{LOGICAL}{nameservice}"))
    }

    /// The address of the NameNode. Fails if this is a nameservice, or not an HDFS.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, FsError> {
        self.root
            .trim_start_matches("hdfs://")
            .parse()
            .map_err(|e: EndpointError| self.unusable(FsErrorKind::InvalidArgument, e.to_string()))
    }

    /// The error of a file system that cannot be used.
    pub(crate) fn unusable(&self, kind: FsErrorKind, why: impl Into<String>) -> FsError {
        FsError::new(kind, "use", &*self.root, &*self.server, why)
    }

    fn of_authority(conf: &HadoopConf, authority: &str, text: &str) -> Result<Self, FsError> {
        let nodes =
            conf.get_strings(&format!("dfs.ha.namenodes.{authority}")).map_err(|e| bad_conf(text, &e))?;
        if !nodes.is_empty() {
            let address = |node: &String| conf.get(&format!("dfs.namenode.rpc-address.{authority}.{node}"));
            let addresses: Result<Vec<_>, _> = nodes.iter().map(address).collect();
            let addresses: Vec<_> =
                addresses.map_err(|e| bad_conf(text, &e))?.into_iter().flatten().collect();
            if addresses.is_empty() {
                let why = format!(
                    "dfs.namenode.rpc-address.{authority}.{} is not set",
                    nodes.join(" (or another of its NameNodes) ")
                );
                return Err(FsError::new(FsErrorKind::Configuration, "use", text, "", why));
            }
            let server = format!("nameservice '{authority}' ({})", addresses.join(", "));
            return Ok(Self { root: format!("hdfs://{authority}"), server, logical: true });
        }
        let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
        let (host, port) = match host_port.rsplit_once(':') {
            Some((host, port)) if !host_port.ends_with(']') => (host, port.parse().ok()),
            _ => (host_port, Some(NAMENODE_PORT)),
        };
        match port {
            Some(port) if !host.is_empty() => {
                let server = format!("NameNode {host}:{port}");
                Ok(Self { root: format!("hdfs://{host}:{port}"), server, logical: false })
            }
            _ => {
                let why = "its host or port is none";
                Err(FsError::new(FsErrorKind::InvalidArgument, "use", text, "", why))
            }
        }
    }

    /// The absolute path for a URL on this file system, for an absolute path, or for a path relative to
    /// `home`. An empty text, a URL on another file system, and a `..` above the root are errors.
    pub(crate) fn path(&self, conf: &HadoopConf, home: &str, text: &str) -> Result<String, FsError> {
        let fail = |why: String| FsError::new(FsErrorKind::InvalidArgument, "use", text, "", why);
        let path = match split(text) {
            None if text.starts_with('/') => text.to_owned(),
            None if text.is_empty() => return Err(fail("the path is empty".into())),
            None => format!("{home}/{text}"),
            Some((_, _, path)) => {
                if Self::find(conf, Some(text))?.root != self.root {
                    return Err(fail(format!("it is not on {}", self.root)));
                }
                path.to_owned()
            }
        };
        normalize(&path).ok_or_else(|| fail("'..' leads above the root".into()))
    }
}

/// The absolute path without empty components, `.` and `..`. `None` if a `..` leads above the root.
fn normalize(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

pub(crate) fn bad_conf(path: &str, error: &ConfError) -> FsError {
    FsError::new(FsErrorKind::Configuration, "use", path, "", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf() -> HadoopConf {
        HadoopConf::from_map([
            ("fs.defaultFS", "hdfs://nn:9000"),
            ("dfs.ha.namenodes.ns", "a,b"),
            ("dfs.namenode.rpc-address.ns.a", "h1:8020"),
            ("dfs.namenode.rpc-address.ns.b", "h2:8020"),
            ("dfs.ha.namenodes.empty", "a,b"),
        ])
    }

    fn root(url: Option<&str>) -> Result<String, (FsErrorKind, String)> {
        Location::find(&conf(), url).map(|l| l.root).map_err(|e| (e.kind(), e.to_string()))
    }

    #[test]
    fn locations() {
        assert_eq!(root(None).unwrap(), "hdfs://nn:9000");
        assert_eq!(root(Some("/a/path")).unwrap(), "hdfs://nn:9000");
        assert_eq!(root(Some("relative")).unwrap(), "hdfs://nn:9000");
        assert_eq!(root(Some("hdfs:///x")).unwrap(), "hdfs://nn:9000");
        assert_eq!(root(Some("hdfs:/x")).unwrap(), "hdfs://nn:9000");
        assert_eq!(root(Some("hdfs://other")).unwrap(), "hdfs://other:8020");
        assert_eq!(root(Some("hdfs://other:1/x")).unwrap(), "hdfs://other:1");
        assert_eq!(root(Some("hdfs://[::1]/x")).unwrap(), "hdfs://[::1]:8020");
        assert_eq!(root(Some("hdfs://ns/x")).unwrap(), "hdfs://ns");
        let ns = Location::find(&conf(), Some("hdfs://ns")).unwrap();
        assert_eq!((ns.server.as_str(), ns.logical), ("nameservice 'ns' (h1:8020, h2:8020)", true));
    }

    #[test]
    fn locations_that_are_none() {
        assert_eq!(root(Some("hdfs://empty/x")).unwrap_err().0, FsErrorKind::Configuration);
        assert_eq!(root(Some("hdfs://h:port/x")).unwrap_err().0, FsErrorKind::InvalidArgument);
        assert_eq!(root(Some("hdfs://:1/x")).unwrap_err().0, FsErrorKind::InvalidArgument);
        let nowhere = Location::find(&HadoopConf::default(), None).unwrap_err();
        assert!(nowhere.to_string().contains("'file' (fs.defaultFS)"), "{nowhere}");
        let nowhere = Location::find(&HadoopConf::default(), Some("hdfs:///x")).unwrap_err();
        assert_eq!(nowhere.kind(), FsErrorKind::InvalidArgument);
    }

    #[test]
    fn paths() {
        let location = Location::find(&conf(), None).unwrap();
        let path = |text| location.path(&conf(), "/user/me", text).map_err(|e| e.kind());
        assert_eq!(path("/a//b/./c/"), Ok("/a/b/c".into()));
        assert_eq!(path("x y/z"), Ok("/user/me/x y/z".into()));
        assert_eq!(path("hdfs://nn:9000/a/../b"), Ok("/b".into()));
        assert_eq!(path("hdfs:///"), Ok("/".into()));
        assert_eq!(path("hdfs://other/a"), Err(FsErrorKind::InvalidArgument));
        assert_eq!(path("/../a"), Err(FsErrorKind::InvalidArgument));
        assert_eq!(path(""), Err(FsErrorKind::InvalidArgument));
        assert!(path("s3a://b/a").is_err());
    }

    #[test]
    fn services_of_tokens() {
        let of = |service: &str| Location::of_service(&conf(), service);
        let ns = of("ha-hdfs:ns").unwrap();
        assert_eq!(ns, Location::find(&conf(), Some("hdfs://ns")).unwrap());
        assert_eq!((ns.nameservice(), ns.logical_service().as_deref()), (Some("ns"), Some("ha-hdfs:ns")));
        let one = of("10.0.0.1:9000").unwrap();
        assert_eq!((one.root.as_str(), one.logical_service()), ("hdfs://10.0.0.1:9000", None));
        assert_eq!(one.endpoint().unwrap(), Endpoint::new("10.0.0.1", 9000));
        // As Java writes an IPv6 address.
        assert_eq!(of("0:0:0:0:0:0:0:1:8020").unwrap().root, "hdfs://[0:0:0:0:0:0:0:1]:8020");
        for bad in ["ha-hdfs:other", "ha-hdfs:", "", "host"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_hdfs_has_tokens() {
        let hdfs = |url| Location::hdfs(&conf(), url).unwrap().map(|location| location.root);
        assert_eq!(hdfs(None).as_deref(), Some("hdfs://nn:9000"));
        assert_eq!(hdfs(Some("/a/path")).as_deref(), Some("hdfs://nn:9000"));
        assert_eq!(hdfs(Some("hdfs://ns/x")).as_deref(), Some("hdfs://ns"));
        for other in ["s3a://bucket/x", "webhdfs://nn:9870/x", "file:///x"] {
            assert_eq!(hdfs(Some(other)), None, "{other}");
        }
        assert_eq!(Location::hdfs(&HadoopConf::default(), None).unwrap(), None);
        assert!(Location::hdfs(&conf(), Some("hdfs://h:port")).is_err());
    }

    #[test]
    #[cfg(not(feature = "hdrs"))]
    fn other_file_systems() {
        let (kind, text) = root(Some("s3a://bucket/x")).unwrap_err();
        assert_eq!(kind, FsErrorKind::Unsupported);
        assert_eq!(
            text,
            "cannot use s3a://bucket/x: file systems of type 's3a' are not supported, only hdfs"
        );
    }

    #[test]
    #[cfg(feature = "hdrs")]
    fn other_file_systems() {
        let other = Location::find(&conf(), Some("s3a://bucket/x")).unwrap();
        assert_eq!(
            (other.root.as_str(), other.server.as_str()),
            ("s3a://bucket", "file system s3a://bucket")
        );
        assert!(!other.is_hdfs());
    }
}
