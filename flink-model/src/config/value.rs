//! One configured value: a text, or what YAML's core schema makes of a scalar.

use crate::java;

/// A value as Flink holds it after loading. `flink-conf.yaml`, `-D` and command-line flags only give texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Str(String),
    /// Whole number of any size up to 127 bits.
    Int(i128),
    /// Floating point.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl Value {
    /// The text that getters see.
    pub fn text(&self) -> String {
        match self {
            Self::Str(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) if number.is_nan() => ".nan".to_owned(),
            Self::Float(number) if number.is_infinite() => {
                if *number > 0.0 {
                    ".inf".to_owned()
                } else {
                    "-.inf".to_owned()
                }
            }
            Self::Float(number) => java::double_to_string(*number),
            Self::Bool(flag) => flag.to_string(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}
