//! Reads objects that Java has serialized, as far as the index of an IndexedFile needs it: classes with
//! fields, texts, enumerations, and what the collections of `java.util` write behind their fields. The format
//! is that of the "Java Object Serialization Specification", chapter 6. Nothing is executed: an object is
//! only the values of its fields.

use std::collections::HashSet;

use crate::error::LogsError;
use crate::slice::Slice;

/// The first number of an object in the stream.
const FIRST_HANDLE: i32 = 0x7e_0000;
/// How deep objects may be in each other. Those of an index are seven deep.
const DEEPEST: usize = 64;
/// The largest number of objects, texts and classes.
const MOST: usize = 2_000_000;
/// The largest number of classes above each other.
const TALLEST: usize = 16;

/// The class writes more than its fields.
const WRITES_MORE: u8 = 1;
/// Objects of the class can be serialized.
const SERIALIZABLE: u8 = 2;

/// A value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// No object.
    Null,
    /// A whole number, a truth value or a character.
    Number(i64),
    /// A number with a fraction, which nobody here asks for.
    Fraction,
    /// The object with this index.
    Object(usize),
}

#[derive(Debug)]
struct Class {
    name: String,
    flags: u8,
    fields: Vec<Field>,
    parent: Option<usize>,
}

#[derive(Debug)]
struct Field {
    kind: u8,
    name: String,
}

/// What has a number in the stream.
#[derive(Debug)]
enum Item {
    Text(String),
    Class(Class),
    Object(Object),
    /// An array, a constant of an enumeration, or one of the others while they are read.
    Other,
}

#[derive(Debug)]
struct Object {
    class: usize,
    /// The values of the fields of the class and of those above it, the uppermost class first.
    fields: Vec<Value>,
    /// The objects that the classes have written behind their fields. Of a list they are the elements, and of
    /// a map in turns a key and its value.
    more: Vec<Value>,
}

/// The objects of a stream.
#[derive(Debug)]
pub(crate) struct Objects {
    items: Vec<Item>,
}

impl Objects {
    /// Reads a stream with one object; gives the objects, and which of them is that one.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, Value), LogsError> {
        let mut slice = Slice::new(bytes);
        if (slice.u16()?, slice.u16()?) != (0xaced, 5) {
            return Err(LogsError::damaged("its index does not begin as serialized objects of Java do"));
        }
        let mut reader = Reader { slice, objects: Self { items: Vec::new() }, depth: 0 };
        let root = reader.content()?;
        Ok((reader.objects, root))
    }

    /// The text that a value is.
    pub(crate) fn text(&self, value: Value) -> Option<&str> {
        let Value::Object(index) = value else { return None };
        match self.items.get(index)? {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The name of the class of an object.
    pub(crate) fn class_name(&self, value: Value) -> Option<&str> {
        Some(&self.class(self.object(value)?.class)?.name)
    }

    /// The value of the first of these fields that an object has.
    pub(crate) fn field(&self, value: Value, names: &[&str]) -> Option<Value> {
        let object = self.object(value)?;
        let fields = self.line(object.class).ok()?.into_iter().filter_map(|class| self.class(class));
        let mut known = fields.flat_map(|class| &class.fields).zip(&object.fields);
        known.find(|(field, _)| names.contains(&field.name.as_str())).map(|(_, value)| *value)
    }

    /// The elements of a list, or the keys and values of a map in turns.
    pub(crate) fn elements(&self, value: Value) -> &[Value] {
        self.object(value).map_or(&[], |object| &object.more)
    }

    fn object(&self, value: Value) -> Option<&Object> {
        let Value::Object(index) = value else { return None };
        match self.items.get(index)? {
            Item::Object(object) => Some(object),
            _ => None,
        }
    }

    fn class(&self, index: usize) -> Option<&Class> {
        match self.items.get(index)? {
            Item::Class(class) => Some(class),
            _ => None,
        }
    }

    /// A class and all above it, the uppermost first. It is an error if they go round in a circle.
    fn line(&self, class: usize) -> Result<Vec<usize>, LogsError> {
        let mut line = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(class);
        while let Some(index) = next {
            if line.len() == TALLEST || !seen.insert(index) {
                return Err(LogsError::damaged("its index has a class that is above itself"));
            }
            line.push(index);
            next = self.class(index).and_then(|class| class.parent);
        }
        line.reverse();
        Ok(line)
    }
}

struct Reader<'a> {
    slice: Slice<'a>,
    objects: Objects,
    depth: usize,
}

impl Reader<'_> {
    /// Gives the next object a number.
    fn number(&mut self, item: Item) -> Result<usize, LogsError> {
        if self.objects.items.len() == MOST {
            return Err(LogsError::damaged(format!("its index has more than {MOST} objects")));
        }
        self.objects.items.push(item);
        Ok(self.objects.items.len() - 1)
    }

    fn put(&mut self, index: usize, item: Item) {
        if let Some(place) = self.objects.items.get_mut(index) {
            *place = item;
        }
    }

    /// The index of an object that was read before.
    fn reference(&mut self) -> Result<usize, LogsError> {
        let handle = self.slice.i32()?;
        let index = handle.checked_sub(FIRST_HANDLE).and_then(|index| usize::try_from(index).ok());
        index.filter(|index| *index < self.objects.items.len()).ok_or_else(|| {
            LogsError::damaged(format!("its index refers to the object {handle:#x}, which there is not"))
        })
    }

    /// The next object.
    fn content(&mut self) -> Result<Value, LogsError> {
        let tag = self.slice.byte()?;
        self.content_of(tag)
    }

    fn content_of(&mut self, tag: u8) -> Result<Value, LogsError> {
        if self.depth == DEEPEST {
            return Err(LogsError::damaged(format!(
                "its index has objects that are more than {DEEPEST} deep"
            )));
        }
        self.depth += 1;
        let value = match tag {
            0x70 => Value::Null,
            0x71 => Value::Object(self.reference()?),
            0x72 | 0x7d => {
                let class = self.class_of(tag)?;
                class.map_or(Value::Null, Value::Object)
            }
            0x73 => self.object()?,
            0x74 => {
                let text = self.slice.utf()?;
                Value::Object(self.number(Item::Text(text))?)
            }
            0x7c => {
                let length = usize::try_from(self.slice.i64()?).unwrap_or(usize::MAX);
                let text = crate::modified_utf::decode(self.slice.take(length)?);
                Value::Object(self.number(Item::Text(text))?)
            }
            0x75 => self.array()?,
            0x76 => {
                self.class()?;
                Value::Object(self.number(Item::Other)?)
            }
            0x7e => {
                self.class()?;
                let index = self.number(Item::Other)?;
                self.content()?;
                Value::Object(index)
            }
            other => {
                return Err(LogsError::damaged(format!(
                    "its index has an object of the kind {other:#04x}, which heddle does not know"
                )));
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    /// The next class; `None` if there is none, as above the uppermost one.
    fn class(&mut self) -> Result<Option<usize>, LogsError> {
        let tag = self.slice.byte()?;
        self.class_of(tag)
    }

    fn class_of(&mut self, tag: u8) -> Result<Option<usize>, LogsError> {
        match tag {
            0x70 => Ok(None),
            0x71 => self.reference().map(Some),
            0x72 => {
                let name = self.slice.utf()?;
                self.slice.i64()?;
                let index = self.number(Item::Other)?;
                let flags = self.slice.byte()?;
                let count = self.slice.u16()?;
                let mut fields = Vec::new();
                for _ in 0..count {
                    let field = Field { kind: self.slice.byte()?, name: self.slice.utf()? };
                    if matches!(field.kind, b'[' | b'L') {
                        // The name of the field's class.
                        self.content()?;
                    }
                    fields.push(field);
                }
                self.more()?;
                let parent = self.nested_class()?;
                self.put(index, Item::Class(Class { name, flags, fields, parent }));
                Ok(Some(index))
            }
            other => Err(LogsError::damaged(format!("its index has a class of the kind {other:#04x}"))),
        }
    }

    fn nested_class(&mut self) -> Result<Option<usize>, LogsError> {
        if self.depth == DEEPEST {
            return Err(LogsError::damaged("its index has too many classes above each other"));
        }
        self.depth += 1;
        let class = self.class()?;
        self.depth -= 1;
        Ok(class)
    }

    fn object(&mut self) -> Result<Value, LogsError> {
        let Some(class) = self.class()? else {
            return Err(LogsError::damaged("its index has an object without a class"));
        };
        let index = self.number(Item::Other)?;
        let (mut fields, mut more) = (Vec::new(), Vec::new());
        for class in self.objects.line(class)? {
            let Some(class) = self.objects.class(class) else {
                return Err(LogsError::damaged("its index has an object whose class is none"));
            };
            let (name, flags) = (class.name.clone(), class.flags);
            if flags & SERIALIZABLE == 0 {
                return Err(LogsError::damaged(format!(
                    "its index has an object of {name}, which heddle cannot read"
                )));
            }
            let kinds: Vec<u8> = class.fields.iter().map(|field| field.kind).collect();
            for kind in kinds {
                fields.push(self.value(kind)?);
            }
            if flags & WRITES_MORE != 0 {
                more.extend(self.more()?);
            }
        }
        self.put(index, Item::Object(Object { class, fields, more }));
        Ok(Value::Object(index))
    }

    /// A value of this kind, which is a letter as in the names of Java's types inside class files.
    fn value(&mut self, kind: u8) -> Result<Value, LogsError> {
        Ok(match kind {
            b'B' | b'Z' => Value::Number(i64::from(self.slice.byte()?.cast_signed())),
            b'C' => Value::Number(i64::from(self.slice.u16()?)),
            b'S' => Value::Number(i64::from(self.slice.u16()?.cast_signed())),
            b'I' => Value::Number(i64::from(self.slice.i32()?)),
            b'J' => Value::Number(self.slice.i64()?),
            b'F' => {
                self.slice.i32()?;
                Value::Fraction
            }
            b'D' => {
                self.slice.i64()?;
                Value::Fraction
            }
            b'L' | b'[' => self.content()?,
            other => {
                return Err(LogsError::damaged(format!("its index has a field of the kind {other:#04x}")));
            }
        })
    }

    /// An array, whose elements nobody here asks for.
    fn array(&mut self) -> Result<Value, LogsError> {
        let class = self.class()?.and_then(|class| self.objects.class(class));
        let kind = class.and_then(|class| class.name.as_bytes().get(1).copied()).unwrap_or_default();
        let index = self.number(Item::Other)?;
        let count = self.slice.i32()?;
        // Each element has at least one byte.
        if !usize::try_from(count).is_ok_and(|count| count <= self.slice.left()) {
            return Err(LogsError::damaged(format!("its index has an array of the size {count}")));
        }
        for _ in 0..count {
            self.value(kind)?;
        }
        Ok(Value::Object(index))
    }

    /// The objects that a class has written behind its fields. Plain bytes between them are left out.
    fn more(&mut self) -> Result<Vec<Value>, LogsError> {
        let mut objects = Vec::new();
        loop {
            match self.slice.byte()? {
                0x78 => return Ok(objects),
                0x77 => {
                    let count = usize::from(self.slice.byte()?);
                    self.slice.take(count)?;
                }
                0x7a => {
                    let count = usize::try_from(self.slice.i32()?).unwrap_or(usize::MAX);
                    self.slice.take(count)?;
                }
                tag => objects.push(self.content_of(tag)?),
            }
        }
    }
}
