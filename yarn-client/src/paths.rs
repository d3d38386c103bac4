//! Paths and URLs as users write them: of this machine, or of a file system of the cluster.

/// A path that is given without a scheme, or with `file:`, is local.
pub fn is_remote(path: &str) -> bool {
    path.split_once(':').is_some_and(|(scheme, rest)| {
        scheme != "file"
            && rest.starts_with('/')
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A local path without its scheme.
pub fn without_scheme(path: &str) -> &str {
    let rest = path.strip_prefix("file:").unwrap_or(path);
    rest.strip_prefix("//").unwrap_or(rest)
}
