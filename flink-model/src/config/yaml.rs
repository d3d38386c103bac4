//! YAML 1.2 with the core schema: what `config.yaml` is written in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::java;

use super::Value;

/// Deeper nesting is refused; no configuration comes near it.
const MAX_DEPTH: usize = 64;
/// As many aliases of lists and maps as Flink's own parser takes.
const MAX_ALIASES: usize = 50;
/// How many nodes a document may have, those counted that aliases stand for: an alias of a list is written
/// out.
const MAX_NODES: usize = 1_000_000;
/// As many characters as Flink's own parser takes.
const MAX_LENGTH: usize = 3 * 1024 * 1024;

/// A node of the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Scalar(Value),
    List(Rc<Vec<Node>>),
    /// Keys are unique; in order of the document.
    Map(Rc<Vec<Pair>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) key: Node,
    pub(super) value: Node,
    /// Line of the key, from 1.
    pub(super) line: usize,
}

/// What is wrong with the text, never quoting a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
}

/// Reads a text that holds at most one document. None when it holds nothing.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Malformed> {
    if text.len() > MAX_LENGTH {
        return Err(Malformed { line: 1, column: 1, reason: "the file is larger than 3 MB".to_owned() });
    }
    // Blanks behind the last line break are no line of a block scalar to Flink's parser.
    let trimmed = text.trim_end_matches(' ');
    let mut text = Cow::Borrowed(if trimmed.ends_with('\n') { trimmed } else { text });
    for _ in 0..MAX_REINDENTED {
        match parse_document(&text) {
            // Inside brackets indentation means nothing to Flink's parser, but ours follows the grammar.
            Err(malformed) if BRACKET_INDENTATION.contains(&malformed.reason.as_str()) => {
                text = Cow::Owned(reindent(&text, malformed.line));
            }
            result => return result,
        }
    }
    parse_document(&text)
}

/// What the parser says of a line that is indented too little; it says so only inside brackets.
const BRACKET_INDENTATION: [&str; 2] = ["invalid indentation", "invalid indentation in flow construct"];
/// How many lines may be indented too little; each costs another pass over the text.
const MAX_REINDENTED: usize = 50;

/// The text with one line indented deeper than any key can be.
fn reindent(text: &str, line: usize) -> String {
    let deeper = |(number, content): (usize, &str)| {
        if number + 1 == line {
            format!("{:width$}{content}", "", width = 8 * MAX_DEPTH)
        } else {
            content.to_owned()
        }
    };
    text.split('\n').enumerate().map(deeper).collect::<Vec<_>>().join("\n")
}

fn parse_document(text: &str) -> Result<Option<Node>, Malformed> {
    let mut composer = Composer {
        lines: text.split('\n').collect(),
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        aliases: 0,
        at: (1, 0),
        cursor: (0, 0, 0),
        brackets: 0,
        nodes: 0,
    };
    let mut document = None;
    loop {
        match composer.next()? {
            Event::StreamEnd => return Ok(document),
            Event::DocumentStart(_) if document.is_some() => {
                return Err(composer.error("a second document begins; there must be only one"));
            }
            Event::DocumentStart(_) => {
                let first = composer.next()?;
                document = Some(composer.node(first, 0)?);
            }
            _ => {}
        }
    }
}

struct Composer<'a> {
    lines: Vec<&'a str>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    /// Anchored nodes, with how many nodes they hold.
    anchors: HashMap<usize, (Node, usize)>,
    aliases: usize,
    /// Line from 1 and column from 0 of the latest event.
    at: (usize, usize),
    /// Line from 1, column and byte of the latest place that was looked up: events mostly go forward.
    cursor: (usize, usize, usize),
    /// How many brackets are open.
    brackets: usize,
    /// Nodes so far, with those that aliases stand for.
    nodes: usize,
}

impl<'a> Composer<'a> {
    fn error(&self, reason: impl Into<String>) -> Malformed {
        Malformed { line: self.at.0, column: self.at.1 + 1, reason: reason.into() }
    }

    fn next(&mut self) -> Result<Event<'a>, Malformed> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.at = (span.start.line(), span.start.col());
                let ends = matches!(
                    event,
                    Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd | Event::StreamEnd
                );
                if !ends && self.after_tab() {
                    return Err(self.error("a tab stands in front; only spaces may separate and indent"));
                }
                Ok(event)
            }
            Some(Err(error)) => Err(Malformed {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                reason: error.info().to_owned(),
            }),
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Malformed> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nesting is deeper than {MAX_DEPTH} levels")));
        }
        let before = self.nodes;
        self.count(1)?;
        match event {
            Event::Alias(anchor) => {
                let Some((node, nodes)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error("the alias refers to something that is not complete yet"));
                };
                self.count(nodes)?;
                if matches!(node, Node::List(_) | Node::Map(_)) {
                    self.aliases += 1;
                    if self.aliases > MAX_ALIASES {
                        return Err(self.error(format!("more than {MAX_ALIASES} aliases of lists or maps")));
                    }
                }
                Ok(node)
            }
            Event::Scalar(text, style, anchor, tag) => {
                // The grammar allows this; Flink's parser does not.
                if self.brackets > 0 && style == ScalarStyle::Plain && text.starts_with(':') {
                    return Err(self.error("inside brackets a text that begins with ':' must be quoted"));
                }
                let node = resolve(&text, style, tag.as_deref()).map_err(|reason| self.error(reason))?;
                Ok(self.remember(anchor, before, node))
            }
            Event::SequenceStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "seq")?;
                let brackets = self.at_bracket();
                self.brackets += brackets;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        item => items.push(self.node(item, depth + 1)?),
                    }
                }
                self.brackets -= brackets;
                Ok(self.remember(anchor, before, Node::List(Rc::new(items))))
            }
            Event::MappingStart(anchor, tag) => {
                self.expect_tag(tag.as_deref(), "map")?;
                let brackets = self.at_bracket();
                self.brackets += brackets;
                let mut pairs: Vec<Pair> = Vec::new();
                // Keys are compared by their debug text, in which the number 1 and the text '1' differ.
                let mut lines: HashMap<String, usize> = HashMap::new();
                loop {
                    let first = self.next()?;
                    if first == Event::MappingEnd {
                        break;
                    }
                    let (line, _) = self.at;
                    let key = self.node(first, depth + 1)?;
                    if let Some(first) = lines.insert(format!("{key:?}"), line) {
                        let name =
                            if let Node::Scalar(name) = &key { name.text() } else { "a key".to_owned() };
                        return Err(self.error(format!("{name} stands twice, first in line {first}")));
                    }
                    let second = self.next()?;
                    let value = self.node(second, depth + 1)?;
                    pairs.push(Pair { key, value, line });
                }
                self.brackets -= brackets;
                Ok(self.remember(anchor, before, Node::Map(Rc::new(pairs))))
            }
            _ => Err(self.error("the document ends too early")),
        }
    }

    /// The line of the latest event, before it and from it on.
    fn around(&mut self) -> (&'a str, &'a str) {
        let (line, column) = self.at;
        let text = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let (from, start) = match self.cursor {
            (known, from, byte) if known == line && from <= column => (from, byte),
            _ => (0, 0),
        };
        let ahead = text.get(start..).unwrap_or_default();
        let byte = ahead.char_indices().nth(column - from).map_or(text.len(), |(at, _)| start + at);
        self.cursor = (line, column, byte);
        text.split_at_checked(byte).unwrap_or((text, ""))
    }

    /// Whether a tab stands between the latest event and what is before it on the line. The grammar allows
    /// some of these; Flink's parser allows none.
    fn after_tab(&mut self) -> bool {
        let (before, _) = self.around();
        before.trim_end_matches(['\t', ' ']).len() < before.trim_end_matches(' ').len()
    }

    /// 1 if the latest event begins at a bracket, else 0.
    fn at_bracket(&mut self) -> usize {
        usize::from(self.around().1.starts_with(['[', '{']))
    }

    fn count(&mut self, nodes: usize) -> Result<(), Malformed> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(self.error(format!("the document has more than {MAX_NODES} nodes, aliases counted")));
        }
        Ok(())
    }

    /// Keeps a node under its anchor; `before` is how many nodes there were before it.
    fn remember(&mut self, anchor: usize, before: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        node
    }

    fn expect_tag(&self, tag: Option<&Tag>, name: &str) -> Result<(), Malformed> {
        match tag {
            Some(tag) if !is_core(tag, name) && !is_non_specific(tag) => {
                Err(self.error(format!("the tag {}{} is not supported", tag.handle, tag.suffix)))
            }
            _ => Ok(()),
        }
    }
}

fn is_core(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == name
}

fn is_non_specific(tag: &Tag) -> bool {
    tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty()
}

/// A scalar by the core schema, or by its tag.
fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Node, String> {
    let Some(tag) = tag.filter(|tag| !is_non_specific(tag)) else {
        let plain = style == ScalarStyle::Plain && tag.is_none();
        return if plain { plain_scalar(text) } else { Ok(Node::Scalar(text.into())) };
    };
    let node = if is_core(tag, "str") { Node::Scalar(text.into()) } else { plain_scalar(text)? };
    let fits = match node {
        Node::Null => is_core(tag, "null"),
        Node::Scalar(Value::Str(_)) => is_core(tag, "str"),
        Node::Scalar(Value::Int(_)) => is_core(tag, "int"),
        Node::Scalar(Value::Float(_)) => is_core(tag, "float"),
        Node::Scalar(Value::Bool(_)) => is_core(tag, "bool"),
        Node::List(_) | Node::Map(_) => false,
    };
    match node {
        Node::Scalar(Value::Int(number)) if is_core(tag, "float") => {
            Ok(Node::Scalar(Value::Float(number as f64)))
        }
        node if fits => Ok(node),
        _ => Err(format!("a scalar cannot have the tag {}{}", tag.handle, tag.suffix)),
    }
}

/// What a plain scalar means; the patterns are those of YAML 1.2's core schema.
fn plain_scalar(text: &str) -> Result<Node, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => Node::Scalar(Value::Bool(true)),
        "false" | "False" | "FALSE" => Node::Scalar(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => Node::Scalar(Value::Float(f64::NAN)),
        _ => match number(text)? {
            Some(value) => Node::Scalar(value),
            None => Node::Scalar(text.into()),
        },
    })
}

/// Whether a plain scalar of this text would be read as something else than a text.
pub(super) fn is_ambiguous(text: &str) -> bool {
    !matches!(plain_scalar(text), Ok(Node::Scalar(Value::Str(_))))
}

fn number(text: &str) -> Result<Option<Value>, String> {
    let too_large = |_| "a number has more digits than are supported".to_owned();
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
                return Ok(None);
            }
            return i128::from_str_radix(digits, radix).map(|n| Some(Value::Int(n))).map_err(too_large);
        }
    }
    let negative = text.starts_with('-');
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") {
        return Ok(Some(Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY })));
    }
    if body.is_empty() {
        return Ok(None);
    }
    if body.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map(|n| Some(Value::Int(n))).map_err(too_large);
    }
    Ok(if is_float(body) { java::parse_double(text).map(Value::Float) } else { None })
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(body: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_ok && exponent_ok
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Node {
        let Some(Node::Map(pairs)) = parse(&format!("k: {text}\n")).unwrap() else { panic!("not a map") };
        pairs[0].value.clone()
    }

    #[test]
    fn scalars_of_the_core_schema() {
        assert_eq!(value("yes"), Node::Scalar("yes".into()));
        assert_eq!(value("True"), Node::Scalar(Value::Bool(true)));
        assert_eq!(value("0x1F"), Node::Scalar(Value::Int(31)));
        assert_eq!(value("010"), Node::Scalar(Value::Int(10)));
        assert_eq!(value("1_000"), Node::Scalar("1_000".into()));
        assert_eq!(value("1."), Node::Scalar(Value::Float(1.0)));
        assert_eq!(value("-.5e1"), Node::Scalar(Value::Float(-5.0)));
        assert_eq!(value("'1'"), Node::Scalar("1".into()));
        assert_eq!(value("!!str 1"), Node::Scalar("1".into()));
        assert_eq!(value("2001-12-14"), Node::Scalar("2001-12-14".into()));
        assert_eq!(value("~"), Node::Null);
    }

    #[test]
    fn errors_have_a_place() {
        let error = |text: &str| parse(text).unwrap_err();
        assert_eq!(error("a: 1\nb: 2\na: 3\n").line, 3);
        assert_eq!(error("a: [1, 2\nb: 3\n").line, 2);
        assert!(error("a: 1\n---\nb: 2\n").reason.contains("second document"));
        assert!(error("a: !foo x\n").reason.contains("tag"));
        assert!(error(&format!("a: {}1{}", "[".repeat(99), "]".repeat(99))).reason.contains("nesting"));
    }

    #[test]
    fn large_and_nasty_files_end_soon() {
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for level in 1..25 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1);
        }
        assert!(parse(&bomb).unwrap_err().reason.contains("nodes"));
        let line = format!("a: [{}]", "'é', ".repeat(100_000));
        assert!(parse(&line).is_ok());
        let keys: String = (0..50_000).map(|n| format!("k{n}: v\n")).collect();
        assert!(parse(&keys).is_ok());
        let outdented = format!("a:\n  b: [\n{}]", "x,\n".repeat(10_000));
        assert!(parse(&outdented).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).*") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_yaml_like_text(text in "[-a:{}\\[\\]&*!|>'\"%@#,? \n\t0-9]{0,60}") {
            let _ = parse(&text);
        }
    }
}
