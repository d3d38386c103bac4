//! Reads numbers and texts from bytes in memory. Each function fails if there are too few bytes.

use crate::error::LogsError;
use crate::{modified_utf, vint};

/// Bytes, of which some were read.
#[derive(Debug, Clone)]
pub(crate) struct Slice<'a> {
    rest: &'a [u8],
}

impl<'a> Slice<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], LogsError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(LogsError::damaged(format!(
                "an index ends too early: {count} bytes are needed, and {} are left",
                self.rest.len()
            ))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LogsError> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| LogsError::damaged("an index ends too early"))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, LogsError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, LogsError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, LogsError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, LogsError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A number of TFile.
    pub(crate) fn vlong(&mut self) -> Result<i64, LogsError> {
        let first = self.byte()?;
        let Some(count) = vint::following(first) else {
            return Err(LogsError::damaged(format!("no number begins with the byte {first:#04x}")));
        };
        Ok(vint::value(first, self.take(count)?))
    }

    /// A number of TFile that counts or measures something, so it is not negative.
    pub(crate) fn size(&mut self) -> Result<u64, LogsError> {
        let number = self.vlong()?;
        u64::try_from(number).map_err(|_| LogsError::damaged(format!("an index has the size {number}")))
    }

    /// A text of TFile: its length in bytes, and UTF-8.
    pub(crate) fn text(&mut self) -> Result<String, LogsError> {
        let length = usize::try_from(self.size()?).unwrap_or(usize::MAX);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A text of Java: its length in two bytes, and [Java's form of UTF-8](modified_utf).
    pub(crate) fn utf(&mut self) -> Result<String, LogsError> {
        let length = usize::from(self.u16()?);
        Ok(modified_utf::decode(self.take(length)?))
    }
}
