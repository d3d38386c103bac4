//! A configured value: a text, or what a YAML scalar means by YAML's core schema.

use crate::java;

/// A value as Flink keeps it after loading. Values from `flink-conf.yaml`, `-D` and options of the command
/// line are always texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Str(String),
    /// A whole number of at most 127 bits and a sign.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

impl Value {
    /// The value as text, in the form in which Flink gives it to the readers of an option.
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
