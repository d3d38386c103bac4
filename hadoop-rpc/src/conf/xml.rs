//! Reads one configuration file of Hadoop, with the files that it includes, by the same rules as Hadoop's
//! class `Configuration`. Each property gets the file and line where it is. There are bounds, so that a
//! broken file cannot use up memory or time.

use std::path::Path;
use std::sync::Arc;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, escape};

use super::error::ConfError;

/// Bounds that protect against hostile or broken files: the bytes of a file, the number of files, and how
/// deep files include each other. Real files stay far below them.
const MAX_FILE: u64 = 16 << 20;
const MAX_FILES: usize = 200;
const MAX_DEPTH: usize = 16;

/// One `<property>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: String,
    /// `None` if it is empty. Such a property changes no value, but it may be final.
    pub(super) value: Option<String>,
    pub(super) is_final: bool,
    pub(super) path: Arc<Path>,
    pub(super) line: u32,
}

/// The properties of a file in their order; `None` if there is no such file.
pub(super) fn read_file(path: &Path) -> Result<Option<Vec<Property>>, ConfError> {
    Loader { files: 0, depth: 0 }.file(path)
}

struct Loader {
    files: usize,
    depth: usize,
}

impl Loader {
    fn file(&mut self, path: &Path) -> Result<Option<Vec<Property>>, ConfError> {
        let fail = |why: String| ConfError::File { path: path.to_owned(), line: None, why };
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fail(e.to_string())),
        };
        // A pipe or a device could be read for ever.
        if !meta.is_file() {
            return Err(fail("it is not a regular file".into()));
        }
        if meta.len() > MAX_FILE {
            return Err(fail(format!("it has {} bytes, more than {MAX_FILE}", meta.len())));
        }
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(fail(format!("more than {MAX_FILES} files are included")));
        }
        let bytes = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        self.text(path, &String::from_utf8_lossy(&bytes)).map(Some)
    }

    fn text(&mut self, path: &Path, text: &str) -> Result<Vec<Property>, ConfError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser = Parser::new(path);
        let mut lines = Lines { text, at: 0, line: 1 };
        let mut reader = Reader::from_str(text);
        loop {
            let line = lines.at(reader.buffer_position());
            let fail = |why: String| ConfError::File { path: path.to_owned(), line: Some(line), why };
            let event = reader.read_event().map_err(|e| ConfError::File {
                path: path.to_owned(),
                line: Some(lines.at(reader.error_position())),
                why: e.to_string(),
            })?;
            match event {
                Event::Start(tag) => {
                    let line = lines.at(reader.buffer_position());
                    if let Some(href) = parser.start(&tag, line).map_err(fail)? {
                        self.include(&mut parser, &href).map_err(|e| e.or_at(path, line))?;
                    }
                }
                Event::Empty(tag) => {
                    let line = lines.at(reader.buffer_position());
                    if let Some(href) = parser.start(&tag, line).map_err(fail)? {
                        self.include(&mut parser, &href).map_err(|e| e.or_at(path, line))?;
                    }
                    parser.end(tag.local_name().as_ref()).map_err(fail)?;
                }
                Event::End(tag) => parser.end(tag.local_name().as_ref()).map_err(fail)?,
                Event::Text(text) => parser.token.push_str(&text.xml10_content()),
                Event::CData(text) => parser.token.push_str(&text.xml10_content()),
                Event::GeneralRef(entity) => parser.token.push_str(&resolve(&entity).map_err(fail)?),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Eof if parser.depth > 0 => return Err(fail("it ends inside an element".into())),
                Event::Eof if !parser.any_root => return Err(fail("it holds no configuration".into())),
                Event::Eof => return Ok(parser.properties),
            }
        }
    }

    /// Adds the properties of another file, or notes that it is missing.
    fn include(&mut self, parser: &mut Parser, href: &str) -> Result<(), IncludeError> {
        if self.depth >= MAX_DEPTH {
            return Err(IncludeError::Here(format!("files include each other more than {MAX_DEPTH} deep")));
        }
        let local = href.strip_prefix("file://").or_else(|| href.strip_prefix("file:")).unwrap_or(href);
        // A file at a URL of another scheme than `file` is not fetched and counts as missing, as one from a
        // server that does not answer does in Hadoop.
        let found = if local.contains("://") {
            None
        } else {
            let base = parser.path.parent().map(Path::to_owned).unwrap_or_default();
            self.depth += 1;
            let result = self.file(&base.join(local));
            self.depth -= 1;
            result.map_err(IncludeError::There)?
        };
        match found {
            Some(properties) => parser.properties.extend(properties),
            None => parser.mark_missing(href),
        }
        Ok(())
    }
}

enum IncludeError {
    Here(String),
    There(ConfError),
}

impl IncludeError {
    fn or_at(self, path: &Path, line: u32) -> ConfError {
        match self {
            Self::Here(why) => ConfError::File { path: path.to_owned(), line: Some(line), why },
            Self::There(e) => e,
        }
    }
}

/// An `<include>` that is open.
struct Include {
    /// The file that is missing, if one is.
    missing: Option<String>,
    has_fallback: bool,
}

struct Parser {
    path: Arc<Path>,
    properties: Vec<Property>,
    current: Option<Property>,
    token: String,
    includes: Vec<Include>,
    /// How many `<fallback>` elements that are not needed are open. Everything in them is ignored.
    skipped: usize,
    depth: usize,
    any_root: bool,
}

impl Parser {
    fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            properties: Vec::new(),
            current: None,
            token: String::new(),
            includes: Vec::new(),
            skipped: 0,
            depth: 0,
            any_root: false,
        }
    }

    /// Handles the start of an element. Gives the file to include, if the element names one.
    fn start(&mut self, tag: &BytesStart<'_>, line: u32) -> Result<Option<String>, String> {
        let local = tag.local_name();
        let name = local.as_ref();
        if self.depth == 0 {
            if name != "configuration" {
                return Err(format!("it is not a Hadoop configuration: it begins with <{}>", shown(name)));
            }
            self.any_root = true;
        }
        self.depth += 1;
        self.token.clear();
        match name {
            "fallback" => {
                let needed = self.includes.last_mut().is_some_and(|i| {
                    i.has_fallback = true;
                    i.missing.is_some()
                });
                if self.skipped > 0 || !needed {
                    self.skipped += 1;
                }
                Ok(None)
            }
            _ if self.skipped > 0 => Ok(None),
            "property" => {
                self.current = Some(self.property(tag, line)?);
                Ok(None)
            }
            "include" => {
                self.includes.push(Include { missing: None, has_fallback: false });
                attribute(tag, "href")
            }
            _ => Ok(None),
        }
    }

    /// The property of a `<property>` element, whose name, value and `final` may be attributes of the
    /// element.
    fn property(&self, tag: &BytesStart<'_>, line: u32) -> Result<Property, String> {
        Ok(Property {
            name: attribute(tag, "name")?.unwrap_or_default(),
            value: attribute(tag, "value")?,
            is_final: attribute(tag, "final")?.as_deref() == Some("true"),
            path: self.path.clone(),
            line,
        })
    }

    fn mark_missing(&mut self, href: &str) {
        if let Some(include) = self.includes.last_mut() {
            include.missing = Some(href.to_owned());
        }
    }

    fn end(&mut self, name: &str) -> Result<(), String> {
        self.depth = self.depth.saturating_sub(1);
        if self.skipped > 0 {
            if name == "fallback" {
                self.skipped -= 1;
            }
            return Ok(());
        }
        match (name, &mut self.current) {
            ("name", Some(p)) if !self.token.is_empty() => p.name = self.token.trim().to_owned(),
            ("value", Some(p)) if !self.token.is_empty() => p.value = Some(self.token.clone()),
            ("final", Some(p)) => p.is_final = self.token == "true",
            ("property", _) => {
                self.properties.extend(self.current.take().filter(|p| !p.name.is_empty()));
            }
            ("include", _) => {
                let include = self.includes.pop();
                if let Some(Include { missing: Some(href), has_fallback: false }) = include {
                    return Err(format!("the included file {} is missing", shown(&href)));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        if attribute.key.local_name().as_ref() == name {
            let value = escape::unescape(&attribute.value).map_err(|e| e.to_string())?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// Replaces `&amp;` and the like. Entities that a file defines itself are refused, so that none can grow
/// without bound.
fn resolve(entity: &BytesRef<'_>) -> Result<String, String> {
    if let Some(c) = entity.resolve_char_ref().map_err(|e| e.to_string())? {
        return Ok(c.to_string());
    }
    let name = entity.xml10_content();
    let known =
        escape::resolve_xml_entity(&name).ok_or_else(|| format!("unknown entity &{};", shown(&name)))?;
    Ok(known.to_owned())
}

/// A text from a file, made short and of one line for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

/// Gives line numbers for offsets that grow, so that the lines of the text are counted only once.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn at(&mut self, offset: u64) -> u32 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        if offset >= self.at {
            let passed = &self.text.as_bytes()[self.at..offset];
            let newlines = passed.iter().filter(|b| **b == b'\n').count();
            self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
            self.at = offset;
        }
        self.line
    }
}

/// For tests: the properties of a text, as if it were the file `path`.
#[cfg(test)]
pub(super) fn read_text(path: &Path, text: &str) -> Result<Vec<Property>, ConfError> {
    Loader { files: 0, depth: 0 }.text(path, text)
}
