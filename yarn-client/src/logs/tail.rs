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
    pub async fn read(
        &mut self,
        container: &ContainerLogs,
        log: &Log,
        most: usize,
    ) -> Result<Vec<u8>, Missing> {
        let what = rest_of(container, log);
        let last = u64::try_from(most).unwrap_or(u64::MAX);
        let place = (container, log);
        let mut opened = Opened::of(&self.application, place, &mut self.reader, Some(last)).await?;
        let mut end = End::new(most);
        while let Some(piece) = opened.next(&what).await? {
            end.push(&piece);
        }
        Ok(end.into_bytes())
    }
}

/// The last bytes of a text that comes in pieces.
struct End {
    most: usize,
    bytes: Vec<u8>,
}

impl End {
    fn new(most: usize) -> Self {
        Self { most, bytes: Vec::new() }
    }

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
    }

    fn into_bytes(mut self) -> Vec<u8> {
        self.cut();
        self.bytes
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
            let mut end = End::new(most);
            pieces.iter().for_each(|piece| end.push(piece));
            prop_assert_eq!(end.into_bytes(), &whole[whole.len().saturating_sub(most)..]);
        }
    }
}
