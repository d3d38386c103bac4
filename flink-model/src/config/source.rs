//! The configuration files, which the caller has read because this crate does no I/O.

/// A configuration file.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// The path, for messages.
    pub path: &'a str,
    /// The content.
    pub text: &'a str,
}

/// The configuration files in the configuration directory.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigFiles<'a> {
    /// `flink-conf.yaml`, if it exists.
    pub legacy: Option<SourceFile<'a>>,
    /// `config.yaml`, if it exists.
    pub standard: Option<SourceFile<'a>>,
}
