//! As much of DER as the formats of keys and certificates need: elements of a type, a length and a content.

/// The type of a sequence.
pub(crate) const SEQUENCE: u8 = 0x30;
/// The type of an octet string.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// The type of a bit string.
pub(crate) const BIT_STRING: u8 = 0x03;
/// The type of an object identifier.
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// The type of a number.
pub(crate) const INTEGER: u8 = 0x02;
/// The type of a truth value.
pub(crate) const BOOLEAN: u8 = 0x01;

/// An element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// The element with its type and length.
    pub(crate) whole: &'a [u8],
}

/// The first element of `bytes`, and what comes after it.
pub(crate) fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        length @ 0..=0x7f => (usize::from(length), rest),
        // Longer lengths than four bytes are of no file that is read here.
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Element { tag, content, whole }, rest))
}

/// The first element of `bytes`, if it is of this type, and what comes after it.
pub(crate) fn expect(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    element(bytes).filter(|(element, _)| element.tag == tag)
}

/// An element of this type with this content.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => bytes.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            bytes.extend(digits);
        }
    }
    bytes.extend(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut bytes = encode(OCTET_STRING, &vec![7; length]);
            let whole = bytes.clone();
            bytes.extend([1, 2]);
            let (element, rest) = element(&bytes).unwrap();
            assert_eq!((element.tag, element.content.len(), rest), (OCTET_STRING, length, &[1, 2][..]));
            assert_eq!(element.whole, whole);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80],
            &[4, 0x81],
            &[4, 0x85, 0, 0, 0, 0, 1, 0],
            &[4, 0x84, 255, 255, 255, 255],
        ] {
            assert_eq!(element(bytes), None, "{bytes:?}");
        }
    }
}
