//! Reads the ends of logs, as bytes.

use super::collected::Reader;
use super::missing::Missing;
use super::opened::{Opened, rest_of};
use super::types::{ContainerLogs, Log};

/// Reads the ends of logs of one application, one log after the other.
#[derive(Debug)]
pub struct Tails {
    application: String,
    reader: Reader,
}

impl Tails {
    /// For the logs of the application with this id, as a [`Catalog`](super::Catalog) has it.
    pub fn new(application: impl Into<String>) -> Self {
        Self { application: application.into(), reader: Reader::default() }
    }

    /// The last `most` bytes of a log, or all of them if it is shorter.
    pub async fn read(&mut self, container: &ContainerLogs, log: &Log, most: usize) -> Result<Tail, Missing> {
        let what = rest_of(container, log);
        let last = u64::try_from(most).unwrap_or(u64::MAX);
        let place = (container, log);
        let mut opened = Opened::of(&self.application, place, &mut self.reader, Some(last)).await?;
        let mut end = End { most, bytes: Vec::new(), is_cut: !opened.is_from_the_beginning() };
        while let Some(piece) = opened.next(&what).await? {
            end.push(&piece);
        }
        Ok(end.into_tail())
    }
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Tail {
    /// Whether this is all of the log.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The bytes from the beginning of a line on: of a line that is not whole nobody can tell what it means.
    pub fn lines(&self) -> &[u8] {
        if self.is_whole {
            return &self.bytes;
        }
        let begin = self.bytes.iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |at| at + 1);
        self.bytes.get(begin..).unwrap_or_default()
    }
}

/// The last bytes of a text that comes in pieces.
struct End {
    most: usize,
    bytes: Vec<u8>,
    /// Whether something in front of the bytes is left out.
    is_cut: bool,
}

impl End {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        // What is too much is removed seldom, because what stays is moved then.
        if self.bytes.len() > self.most.saturating_mul(2) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let too_much = self.bytes.len().saturating_sub(self.most);
        self.bytes.drain(..too_much);
        self.is_cut |= too_much > 0;
    }

    fn into_tail(mut self) -> Tail {
        self.cut();
        Tail { bytes: self.bytes, is_whole: !self.is_cut }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_the_end_is_kept(pieces: Vec<Vec<u8>>, most in 0_usize..40) {
            let whole = pieces.concat();
            let mut end = End { most, bytes: Vec::new(), is_cut: false };
            pieces.iter().for_each(|piece| end.push(piece));
            let tail = end.into_tail();
            prop_assert_eq!(&tail.bytes[..], &whole[whole.len().saturating_sub(most)..]);
            prop_assert_eq!(tail.is_whole(), whole.len() <= most);
        }
    }

    #[test]
    fn a_line_that_is_not_whole_is_left_out() {
        let tail = |bytes: &str, is_whole| Tail { bytes: bytes.into(), is_whole };
        assert_eq!(tail("a\nb\n", true).lines(), b"a\nb\n");
        assert_eq!(tail("word=x\nb\n", false).lines(), b"b\n");
        assert_eq!(tail("no line end", false).lines(), b"");
    }
}
