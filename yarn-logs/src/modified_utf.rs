//! Java's form of UTF-8 ("modified UTF-8", the interface `DataInput`): U+0000 has two bytes, and characters
//! above U+FFFF are two surrogates of three bytes each.

/// The text. What is not valid becomes U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains('\0')
    {
        return text.to_owned();
    }
    let mut units: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let continued =
            |index: usize| tail.get(index).filter(|byte| **byte & 0xc0 == 0x80).map(|b| u16::from(*b & 0x3f));
        let first = *first;
        let (unit, taken) = match (first, continued(0), continued(1)) {
            (0x01..=0x7f, ..) => (u16::from(first), 0),
            (0xc0..=0xdf, Some(second), _) => (u16::from(first & 0x1f) << 6 | second, 1),
            (0xe0..=0xef, Some(second), Some(third)) => {
                (u16::from(first & 0x0f) << 12 | second << 6 | third, 2)
            }
            _ => (0xfffd, 0),
        };
        units.push(unit);
        rest = tail.get(taken..).unwrap_or_default();
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts() {
        assert_eq!(decode("größe.log".as_bytes()), "größe.log");
        assert_eq!(decode(b"a\xc0\x80b"), "a\0b");
        assert_eq!(decode(b"\xed\xa0\xbd\xed\xb8\x80"), "\u{1f600}");
        assert_eq!(decode(b"a\xff"), "a\u{fffd}");
        assert_eq!(decode(b"a\xe0\x80"), "a\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
