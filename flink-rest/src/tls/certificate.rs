//! What the library of certificates does not tell: the version of a certificate, the key in one that it does
//! not read, and whether a certificate is one of an authority.

use crate::keystore::der::{self, BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// The types of the elements that may be missing: the version and the extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// The extension that says whether a certificate is one of an authority, 2.5.29.19.
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// The extension that says what a key is for, 2.5.29.15.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
/// The bit in the first byte of that extension for keys that may sign certificates.
const SIGNS_CERTIFICATES: u8 = 0x04;
/// The first version that has extensions. There are no versions after it.
const NEWEST: u8 = 3;

/// A certificate of X.509.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// Its version: 1, 2 or 3.
    pub(super) version: u8,
    /// Its public key, a `SubjectPublicKeyInfo`.
    pub(super) key: &'a [u8],
    /// Its extensions, one after the other.
    extensions: &'a [u8],
}

/// A public key.
pub(super) struct PublicKey<'a> {
    /// The algorithm and its parameters, without the type and length of the whole.
    pub(super) algorithm: &'a [u8],
    /// The key.
    pub(super) bits: &'a [u8],
}

/// Reads any bytes as a certificate, for `scripts/fuzz`.
#[cfg(fuzzing)]
pub(crate) fn read_any(bytes: &[u8]) {
    if let Some(read) = Certificate::read(bytes) {
        let key = read.public_key().map(|key| (key.algorithm.len(), key.bits.len()));
        let _ = (read.is_old(), read.may_sign(), key);
    }
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` if it is none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (whole, _) = der::expect(bytes, SEQUENCE)?;
        let (signed, _) = der::expect(whole.content, SEQUENCE)?;
        let (version, rest) = match der::expect(signed.content, VERSION) {
            Some((explicit, rest)) => (number(explicit.content)?.checked_add(1)?, rest),
            None => (1, signed.content),
        };
        let (_serial, rest) = der::expect(rest, INTEGER)?;
        let (_algorithm, rest) = der::expect(rest, SEQUENCE)?;
        let (_issuer, rest) = der::expect(rest, SEQUENCE)?;
        let (_validity, rest) = der::expect(rest, SEQUENCE)?;
        let (_subject, rest) = der::expect(rest, SEQUENCE)?;
        let (key, mut rest) = der::expect(rest, SEQUENCE)?;
        let mut extensions: &[u8] = &[];
        while let Some((element, next)) = der::element(rest) {
            if element.tag == EXTENSIONS {
                extensions = der::expect(element.content, SEQUENCE)?.0.content;
            }
            rest = next;
        }
        Some(Self { version, key: key.whole, extensions })
    }

    /// Whether it is of a version that cannot say what it is for.
    pub(super) fn is_old(&self) -> bool {
        self.version < NEWEST
    }

    /// Whether Java lets it sign other certificates if a truststore names it as trusted: it has to say that
    /// it is one of an authority, and if it says what its key is for, then also that it signs certificates.
    /// One of an old version says neither, and may.
    pub(super) fn may_sign(&self) -> bool {
        if self.is_old() {
            return true;
        }
        let is_authority = || {
            let (constraints, _) = der::expect(self.extension(BASIC_CONSTRAINTS)?, SEQUENCE)?;
            let (authority, _) = der::expect(constraints.content, BOOLEAN)?;
            Some(authority.content != [0])
        };
        let signs = |usage| {
            let (bits, _) = der::expect(usage, BIT_STRING)?;
            // The first byte is the number of bits that do not count in the last byte.
            Some(bits.content.get(1)? & SIGNS_CERTIFICATES != 0)
        };
        is_authority().unwrap_or_default()
            && self.extension(KEY_USAGE).is_none_or(|usage| signs(usage).unwrap_or_default())
    }

    /// Its public key in parts; `None` if it is of no known form.
    pub(super) fn public_key(&self) -> Option<PublicKey<'a>> {
        let (key, _) = der::expect(self.key, SEQUENCE)?;
        let (algorithm, rest) = der::expect(key.content, SEQUENCE)?;
        let (bits, _) = der::expect(rest, BIT_STRING)?;
        let (0, bits) = bits.content.split_first()? else { return None };
        Some(PublicKey { algorithm: algorithm.content, bits })
    }

    /// The value of an extension.
    fn extension(&self, identifier: [u8; 3]) -> Option<&'a [u8]> {
        let mut rest = self.extensions;
        while let Some((extension, next)) = der::expect(rest, SEQUENCE) {
            rest = next;
            let (name, mut values) = der::expect(extension.content, OBJECT_IDENTIFIER)?;
            if name.content != identifier {
                continue;
            }
            // Whether the extension is critical may stand before the value.
            if let Some((_critical, after)) = der::expect(values, BOOLEAN) {
                values = after;
            }
            return der::expect(values, OCTET_STRING).map(|(value, _)| value.content);
        }
        None
    }
}

/// A number of one byte.
fn number(bytes: &[u8]) -> Option<u8> {
    let (number, _) = der::expect(bytes, INTEGER)?;
    let [number] = number.content else { return None };
    Some(*number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keystore::der::encode;

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        encode(SEQUENCE, &parts.concat())
    }

    /// A certificate with these extensions; without any, one of version 1.
    fn certificate(extensions: &[Vec<u8>]) -> Vec<u8> {
        let empty = || sequence(&[]);
        let key = sequence(&[empty(), encode(BIT_STRING, &[0, 7])]);
        let mut parts = vec![encode(INTEGER, &[1]), empty(), empty(), empty(), empty(), key];
        if !extensions.is_empty() {
            parts.insert(0, encode(VERSION, &encode(INTEGER, &[2])));
            parts.push(encode(EXTENSIONS, &sequence(extensions)));
        }
        sequence(&[sequence(&parts), empty(), encode(BIT_STRING, &[0])])
    }

    fn extension(identifier: [u8; 3], value: &[u8]) -> Vec<u8> {
        sequence(&[encode(OBJECT_IDENTIFIER, &identifier), encode(OCTET_STRING, value)])
    }

    fn critical(identifier: [u8; 3], value: &[u8]) -> Vec<u8> {
        let critical = encode(BOOLEAN, &[0xff]);
        sequence(&[encode(OBJECT_IDENTIFIER, &identifier), critical, encode(OCTET_STRING, value)])
    }

    #[test]
    fn who_may_sign_others() {
        let authority = critical(BASIC_CONSTRAINTS, &sequence(&[encode(BOOLEAN, &[0xff])]));
        let nobody = extension(BASIC_CONSTRAINTS, &sequence(&[]));
        let usage = |bits| extension(KEY_USAGE, &encode(BIT_STRING, &[1, bits]));
        for (extensions, may) in [
            (vec![authority.clone()], true),
            (vec![usage(0x06), authority.clone()], true),
            (vec![usage(0x80), authority.clone()], false),
            (vec![extension(KEY_USAGE, &[]), authority], false),
            (vec![nobody], false),
            (vec![extension(BASIC_CONSTRAINTS, &[])], false),
            (vec![usage(0x06)], false),
            // As in Java.
            (vec![], true),
        ] {
            let bytes = certificate(&extensions);
            let read = Certificate::read(&bytes).unwrap();
            assert_eq!(read.may_sign(), may, "{extensions:?}");
            assert_eq!(read.version, if extensions.is_empty() { 1 } else { 3 });
            assert_eq!(read.public_key().unwrap().bits, [7]);
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..60, byte: u8) {
            let authority = critical(BASIC_CONSTRAINTS, &sequence(&[encode(BOOLEAN, &[0xff])]));
            let mut damaged = certificate(&[authority]);
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            for bytes in [bytes, damaged] {
                if let Some(read) = Certificate::read(&bytes) {
                    let _ = (read.may_sign(), read.public_key().is_some());
                }
            }
        }
    }
}
