//! Tells apart paths and URLs as users write them. Some are those of this machine, others those of a file
//! system of the cluster.

/// Whether this is the URL of a file on the cluster. A path without a scheme, or with the scheme `file`, is
/// one of this machine.
pub fn is_remote(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, rest)| {
        scheme != "file"
            && rest.starts_with('/')
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// Removes the scheme `file` from a path of this machine, if it has one.
pub fn without_scheme(path: &str) -> &str {
    let rest = path.strip_prefix("file:").unwrap_or(path);
    rest.strip_prefix("//").unwrap_or(rest)
}
