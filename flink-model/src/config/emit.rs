//! Writes YAML scalars and lists on one line, so that Flink reads back the same values. The style is that of
//! Flink's own writer, because Flink keeps a list as a text in this style.

use super::Value;
use super::yaml::{self, Node, Pair};

/// Where a scalar stands. Inside brackets, fewer texts can be written without quotes.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Block,
    Flow,
}

impl Value {
    /// The scalar for `config.yaml` that is read back as this value.
    pub fn yaml(&self) -> String {
        match self {
            Self::Str(text) => block_scalar(text),
            other => other.text(),
        }
    }
}

/// Writes a text as the value of a key, on one line.
pub(super) fn block_scalar(text: &str) -> String {
    scalar(text, Context::Block)
}

/// Writes a text as a key, on one line.
pub(super) fn key(text: &str) -> String {
    scalar(text, Context::Block)
}

fn scalar(text: &str, context: Context) -> String {
    let form = Form::of(text);
    let plain = match context {
        Context::Block => form.block_plain,
        Context::Flow => form.flow_plain,
    };
    if plain && !yaml::is_ambiguous(text) {
        text.to_owned()
    } else if form.single_quoted {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        double_quoted(text)
    }
}

/// In which ways a text can be written.
struct Form {
    flow_plain: bool,
    block_plain: bool,
    single_quoted: bool,
}

impl Form {
    fn of(text: &str) -> Self {
        let quoted = Self { flow_plain: false, block_plain: false, single_quoted: true };
        let special = |c: char| {
            !matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        };
        if text.chars().any(special) {
            return Self { single_quoted: false, ..quoted };
        }
        let Some(first) = text.chars().next() else { return quoted };
        if text.starts_with(' ') || text.ends_with(' ') || text.starts_with("---") || text.starts_with("...")
        {
            return quoted;
        }
        let mut form = Self { flow_plain: true, block_plain: true, single_quoted: true };
        let blank_follows = |at: usize| text[at..].chars().nth(1).is_none_or(|next| next == ' ');
        if "#,[]{}&*!|>'\"%@`".contains(first) || (first == '-' && blank_follows(0)) {
            return quoted;
        }
        form.flow_plain &= !matches!(first, '?' | ':');
        form.block_plain &= !(matches!(first, '?' | ':') && blank_follows(0));
        let mut before = first;
        for (at, c) in text.char_indices().skip(1) {
            form.flow_plain &= !",?[]{}:".contains(c);
            form.block_plain &= !(c == ':' && blank_follows(at));
            if c == '#' && before == ' ' {
                return quoted;
            }
            before = c;
        }
        form
    }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{fffe}' | '\u{ffff}' | '\u{feff}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Whether Flink's writer puts no `?` before this key.
fn is_simple_key(key: &Node) -> bool {
    const MAX_LENGTH: usize = 123;
    match key {
        Node::Scalar(Value::Str(text)) => !text.is_empty() && !text.contains('\n') && text.len() < MAX_LENGTH,
        Node::Null | Node::Scalar(_) => true,
        Node::List(items) => items.is_empty(),
        Node::Map(pairs) => pairs.is_empty(),
    }
}

/// Writes a node in brackets on one line, which is the form in which Flink keeps a list.
pub(super) fn flow(node: &Node) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Scalar(Value::Str(text)) => scalar(text, Context::Flow),
        Node::Scalar(value) => value.text(),
        Node::List(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Map(pairs) => {
            let pair = |pair: &Pair| {
                let key = flow(&pair.key);
                let explicit = !is_simple_key(&pair.key);
                if explicit {
                    format!("? {key} : {}", flow(&pair.value))
                } else {
                    format!("{key}: {}", flow(&pair.value))
                }
            };
            let pairs: Vec<_> = pairs.iter().map(pair).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scalars_are_quoted_only_where_needed() {
        for (text, written) in [
            ("abc", "abc"),
            ("a b", "a b"),
            ("5", "'5'"),
            ("true", "'true'"),
            ("", "''"),
            ("*", "'*'"),
            ("a: b", "'a: b'"),
            ("http://x:1", "http://x:1"),
            ("it's", "it's"),
            ("a #b", "'a #b'"),
            ("a\nb", "\"a\\nb\""),
            (" a", "' a'"),
            ("- a", "'- a'"),
            ("-XX:+A", "-XX:+A"),
        ] {
            assert_eq!(block_scalar(text), written);
        }
    }

    fn read(text: &str) -> Option<Node> {
        match yaml::parse(text) {
            Ok(Some(Node::Map(pairs))) => pairs.first().map(|pair| pair.value.clone()),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn texts_read_back(text in "(?s).{0,40}") {
            let written = format!("k: {}\n", block_scalar(&text));
            prop_assert_eq!(read(&written), Some(Node::Scalar(text.into())), "{}", written);
        }

        #[test]
        fn awkward_texts_read_back(text in "[-a:{}\\[\\]&*!|>'\"%@#,? \n\t0-9.e~]{0,12}") {
            let written = format!("k: {}\n", block_scalar(&text));
            prop_assert_eq!(read(&written), Some(Node::Scalar(text.clone().into())), "{}", written);
            let written = format!("k: [{}]\n", scalar(&text, Context::Flow));
            prop_assert_eq!(read(&written), Some(Node::List(vec![Node::Scalar(text.into())].into())), "{}", written);
        }
    }
}
