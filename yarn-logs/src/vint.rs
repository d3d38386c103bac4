//! The numbers of TFile: one to nine bytes, of which the first one says how many follow. They are *not* the
//! variable-length numbers of Hadoop's Writables (`WritableUtils`), which look similar. Hadoop defines them
//! in `org.apache.hadoop.io.file.tfile.Utils.readVLong`.
//!
//! | First byte, signed | Following bytes | Value |
//! |---|---|---|
//! | -32 to 127 | 0 | the byte itself |
//! | -72 to -33 | 1 | (byte + 52) · 2⁸ + the following byte |
//! | -104 to -73 | 2 | (byte + 88) · 2¹⁶ + the following bytes |
//! | -120 to -105 | 3 | (byte + 112) · 2²⁴ + the following bytes |
//! | -125 to -121 | byte + 129 | the following bytes, as a signed number |

/// How many bytes follow this first byte; `None` if no number begins with it.
pub(crate) fn following(first: u8) -> Option<usize> {
    Some(match first.cast_signed() {
        -32.. => 0,
        -72.. => 1,
        -104.. => 2,
        -120.. => 3,
        signed @ -125.. => usize::try_from(i32::from(signed) + 129).ok()?,
        _ => return None,
    })
}

/// The number with this first byte and these [following](following) bytes, of which there are at most
/// eight.
pub(crate) fn value(first: u8, rest: &[u8]) -> i64 {
    let signed = i64::from(first.cast_signed());
    let begin = match rest.len() {
        0 => return signed,
        1 => signed + 52,
        2 => signed + 88,
        3 => signed + 112,
        // The sign is that of the first of the following bytes.
        _ => rest.first().map_or(0, |byte| if byte.cast_signed() < 0 { -1 } else { 0 }),
    };
    rest.iter().fold(begin, |number, byte| number << 8 | i64::from(*byte))
}

/// Encodes a number, for the files that tests make.
#[cfg(test)]
pub(crate) fn encode(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let with = |first: i64, count: usize| {
        let mut out = vec![u8::try_from(first & 0xff).unwrap()];
        out.extend_from_slice(&bytes[8 - count..]);
        out
    };
    match number {
        -32..=127 => with(number, 0),
        -5_120..=5_119 => with((number >> 8) - 52, 1),
        -1_048_576..=1_048_575 => with((number >> 16) - 88, 2),
        -134_217_728..=134_217_727 => with((number >> 24) - 112, 3),
        _ => {
            let fits = |count: &usize| {
                let shift = 64 - 8 * *count;
                number << shift >> shift == number
            };
            let count = (4..=8).find(fits).unwrap();
            with(i64::try_from(count).unwrap() - 129, count)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Option<i64> {
        let (first, rest) = bytes.split_first()?;
        (following(*first)? == rest.len()).then(|| value(*first, rest))
    }

    #[test]
    fn as_hadoop_writes_them() {
        // Worked out by hand from the table above.
        for (number, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (-1, &[0xff]),
            (-32, &[0xe0]),
            (128, &[0xcc, 0x80]),
            (-33, &[0xcb, 0xdf]),
            (5_119, &[0xdf, 0xff]),
            (5_120, &[0xa8, 0x14, 0x00]),
            (1_048_576, &[0x90, 0x10, 0x00, 0x00]),
            (134_217_728, &[0x83, 0x08, 0x00, 0x00, 0x00]),
            (i64::MIN, &[0x87, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(encode(number), bytes, "{number}");
            assert_eq!(decode(bytes), Some(number));
        }
        for first in [0x80, 0x81, 0x82] {
            assert_eq!(following(first), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: i64, small in -200_000_000_i64..200_000_000) {
            for number in [number, small, number >> 16, number >> 40] {
                prop_assert_eq!(decode(&encode(number)), Some(number));
            }
        }

        #[test]
        fn every_first_byte_has_a_meaning_or_none(first: u8, rest: [u8; 8]) {
            if let Some(count) = following(first) {
                let _ = value(first, &rest[..count]);
            }
        }
    }
}
