//! Exceptions that a Hadoop server reports. Their class and text are kept as the server has sent them. What
//! they mean is added as a value, so that callers need not compare names of Java classes.

use std::fmt;

use crate::java_exceptions::{RemoteKind, classify};
use crate::retry::Retry;

/// An exception as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteException {
    /// What the exception is about.
    pub kind: RemoteKind,
    /// The fully qualified name of its Java class; empty if the server sent none.
    pub java_class: String,
    /// The whole text, often with a Java stack trace.
    pub full_text: String,
    /// Whether the server closed the connection with it (status FATAL). Otherwise the connection stays
    /// usable.
    pub fatal: bool,
    pub(crate) retry: Retry,
}

impl RemoteException {
    pub(crate) fn new(java_class: String, full_text: String, fatal: bool) -> Self {
        let (kind, retry) = classify(&java_class, &full_text);
        Self { kind, java_class, full_text, fatal, retry }
    }

    /// The part of the text for people: its first line, without the name of the class if the line begins with
    /// it.
    pub fn message(&self) -> &str {
        let line = self.full_text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        match line.strip_prefix(&self.java_class) {
            Some(rest) if !self.java_class.is_empty() => rest.trim_start_matches([':', ' ']),
            _ => line,
        }
    }

    /// The name of the class without its package, such as `StandbyException`.
    pub fn short_class(&self) -> &str {
        self.java_class.rsplit(['.', '$']).next().unwrap_or_default()
    }
}

impl fmt::Display for RemoteException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message(), self.short_class()) {
            ("", "") => f.write_str("the server reported an error without a text"),
            ("", class) => f.write_str(class),
            (message, "") => f.write_str(message),
            (message, class) => write!(f, "{message} ({class})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_for_people_is_one_line() {
        let show =
            |class: &str, text: &str| RemoteException::new(class.into(), text.into(), false).to_string();
        assert_eq!(show("a.b.C$D", "a.b.C$D: no way\n\tat x(1)\n"), "no way (D)");
        assert_eq!(show("a.b.C", "\n  plain\n"), "plain (C)");
        assert_eq!(show("a.b.C", ""), "C");
        assert_eq!(show("", "text"), "text");
        assert_eq!(show("", ""), "the server reported an error without a text");
    }

    proptest! {
        #[test]
        fn any_text(class in ".{0,20}", text in ".{0,40}") {
            prop_assert!(!RemoteException::new(class, text, true).message().contains('\n'));
        }
    }
}
