//! The description of a configuration key: its name and the type of its value.

use std::marker::PhantomData;

/// A configuration key with the type of its value.
pub struct Opt<T> {
    /// The name of the key.
    pub key: &'static str,
    /// Older names of the key, in the order in which they are looked up.
    pub deprecated: &'static [&'static str],
    /// The value that counts if the key is not set.
    pub default: Option<&'static str>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Opt<T> {
    /// Describes a key.
    pub const fn new(
        key: &'static str,
        deprecated: &'static [&'static str],
        default: Option<&'static str>,
    ) -> Self {
        Self { key, deprecated, default, kind: PhantomData }
    }
}
