//! The configuration files as the caller has read them.

/// A configuration file as the caller read it.
#[derive(Debug, Clone, Copy)]
pub struct SourceFile<'a> {
    /// Path for messages.
    pub path: &'a str,
    /// Contents.
    pub text: &'a str,
}

/// What stands in the configuration directory.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigFiles<'a> {
    /// `flink-conf.yaml`, if it is there.
    pub legacy: Option<SourceFile<'a>>,
    /// `config.yaml`, if it is there.
    pub standard: Option<SourceFile<'a>>,
}
