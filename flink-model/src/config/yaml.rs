//! Reads YAML 1.2 with the core schema, the language of `config.yaml`. Where the parser that heddle uses and
//! Flink's own parser (snakeyaml-engine) differ, this module makes up for the difference, because both must
//! come to the same configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::java;

use super::Value;

/// The deepest nesting that is accepted. No real configuration comes near it.
const MAX_DEPTH: usize = 64;
/// The largest number of aliases of lists and maps. It is the limit of Flink's own parser.
const MAX_ALIASES: usize = 50;
/// The largest number of nodes in a document. The nodes for which an alias stands count, too, because they
/// are written out for each alias.
const MAX_NODES: usize = 1_000_000;
/// The largest number of characters in a file. It is the limit of Flink's own parser.
const MAX_LENGTH: usize = 3 * 1024 * 1024;

/// A node of the document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Scalar(Value),
    List(Rc<Vec<Node>>),
    /// The pairs in the order of the document. No two of them have the same key.
    Map(Rc<Vec<Pair>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) key: Node,
    pub(super) value: Node,
    /// The line of the key, from 1.
    pub(super) line: usize,
}

/// What is wrong with a text. The reason never contains a value of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
}

/// Reads a text that holds at most one document; `None` if it holds nothing.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Malformed> {
    // No text has more characters than bytes, so that most are not counted.
    if text.len() > MAX_LENGTH && text.chars().count() > MAX_LENGTH {
        let reason = format!("the file has more than {MAX_LENGTH} characters");
        return Err(Malformed { line: 1, column: 1, reason });
    }
    // For Flink's parser, spaces after the last line break are not a line of a block scalar.
    let trimmed = text.trim_end_matches(' ');
    let mut text = Cow::Borrowed(if trimmed.ends_with('\n') { trimmed } else { text });
    for _ in 0..MAX_REINDENTED {
        match parse_document(&text) {
            // Flink's parser ignores indentation inside brackets, and this one follows YAML's grammar. So the
            // line is indented more, and the text is parsed again.
            Err(malformed) if BRACKET_INDENTATION.contains(&malformed.reason.as_str()) => {
                text = Cow::Owned(reindent(&text, malformed.line));
            }
            result => return result,
        }
    }
    parse_document(&text)
}

/// What the parser reports if a line has too little indentation. It does so only inside brackets.
const BRACKET_INDENTATION: [&str; 2] = ["invalid indentation", "invalid indentation in flow construct"];
/// The largest number of lines with too little indentation. For each of them the text is parsed once more.
const MAX_REINDENTED: usize = 50;

/// Indents one line of the text more than any key can be.
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
    /// The nodes that have an anchor, and for each the number of nodes in it.
    anchors: HashMap<usize, (Node, usize)>,
    aliases: usize,
    /// The line (from 1) and the column (from 0) of the latest event.
    at: (usize, usize),
    /// The line (from 1), the column and the byte of the latest place that was looked up. The next look-up
    /// begins there, because events usually follow each other in the text.
    cursor: (usize, usize, usize),
    /// The number of brackets that are open.
    brackets: usize,
    /// The number of nodes so far, with those for which aliases stand.
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
                // YAML's grammar allows this, but Flink's parser does not.
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
                // Keys are compared by their debug texts, because the number 1 and the text '1' are different
                // keys.
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

    /// The line of the latest event, in two parts: before the event, and from the event on.
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

    /// Whether there is a tab between the latest event and what stands before it on the line. YAML's grammar
    /// allows some of these tabs, but Flink's parser allows none.
    fn after_tab(&mut self) -> bool {
        let (before, _) = self.around();
        before.trim_end_matches(['\t', ' ']).len() < before.trim_end_matches(' ').len()
    }

    /// 1 if the latest event begins with a bracket, otherwise 0.
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

    /// Remembers a node by its anchor. `before` is the number of nodes before this one.
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

/// What a scalar means by its tag, or by the core schema if it has no tag.
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

/// What a scalar without quotes and without a tag means by the core schema (YAML 1.2.2, section 10.3.2).
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

/// Whether a scalar of this text without quotes would not be read as a text.
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

/// Whether a text matches `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, the core schema's pattern for
/// floating-point numbers without their sign.
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
    fn a_file_may_have_as_many_characters_as_for_flink() {
        let file = |characters: usize| parse(&format!("k: {}\n", "é".repeat(characters - 4)));
        assert!(file(MAX_LENGTH).is_ok());
        assert!(file(MAX_LENGTH + 1).unwrap_err().reason.contains("3145728 characters"));
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
