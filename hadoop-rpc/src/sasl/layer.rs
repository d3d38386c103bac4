//! The security layer of DIGEST-MD5: messages that are signed (`auth-int`; RFC 2831, section 2.3) or signed
//! and encrypted (`auth-conf`; section 2.4). Those sections define the formats and the keys here.

use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use des::{Des, TdesEde2};
use hmac::{KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};

use super::{SaslError, SecurityLayer, Unwrap, Wrap};

/// The length of a message's signature (MAC) in bytes.
const MAC: usize = 10;
/// The length of what follows the signature: the message type and the sequence number, in bytes.
const TAIL: usize = 6;
const MESSAGE_TYPE: [u8; 2] = [0, 1];

/// Ciphers that Java's servers offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cipher {
    Rc4,
    TripleDes,
    Des,
    Rc4With56,
    Rc4With40,
}

impl Cipher {
    /// The ciphers in the order of preference: strong ones first, and of these the fastest first.
    const ALL: [Self; 5] = [Self::Rc4, Self::TripleDes, Self::Des, Self::Rc4With56, Self::Rc4With40];

    pub(super) fn choose(offered: &[String]) -> Option<Self> {
        Self::ALL.into_iter().find(|c| offered.iter().any(|o| o == c.name()))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rc4 => "rc4",
            Self::TripleDes => "3des",
            Self::Des => "des",
            Self::Rc4With56 => "rc4-56",
            Self::Rc4With40 => "rc4-40",
        }
    }

    /// How many bytes of the session's hash H(A1) go into the key.
    fn hash_bytes(self) -> usize {
        match self {
            Self::Rc4With40 => 5,
            Self::Rc4With56 => 7,
            _ => 16,
        }
    }

    /// Messages are padded to a multiple of this many bytes.
    fn block(self) -> usize {
        if matches!(self, Self::Des | Self::TripleDes) { 8 } else { 1 }
    }
}

/// The keys for signing and for encryption (`seal`), for each of the two directions.
pub(super) struct Keys {
    sign_out: [u8; 16],
    sign_in: [u8; 16],
    seal_out: [u8; 16],
    seal_in: [u8; 16],
}

impl Keys {
    pub(super) fn derive(ha1: &[u8; 16], cipher: Option<Cipher>) -> Self {
        let part = &ha1[..cipher.map_or(16, Cipher::hash_bytes)];
        Self {
            sign_out: md5(&[ha1, b"Digest session key to client-to-server signing key magic constant"]),
            sign_in: md5(&[ha1, b"Digest session key to server-to-client signing key magic constant"]),
            seal_out: md5(&[part, b"Digest H(A1) to client-to-server sealing key magic constant"]),
            seal_in: md5(&[part, b"Digest H(A1) to server-to-client sealing key magic constant"]),
        }
    }

    #[cfg(test)]
    fn swapped(&self) -> Self {
        let Self { sign_out, sign_in, seal_out, seal_in } = *self;
        Self { sign_out: sign_in, sign_in: sign_out, seal_out: seal_in, seal_in: seal_out }
    }
}

/// Makes the security layer. `max_buf` is the longest wrapped message that the server accepts, in bytes.
pub(super) fn layer(keys: &Keys, cipher: Option<Cipher>, max_buf: usize) -> Result<SecurityLayer, SaslError> {
    // What is added to a plain text: MAC, message type and sequence number, and at most one block of padding.
    let max_plain = max_buf.checked_sub(MAC + TAIL + 8).filter(|n| *n > 0);
    let max_plain = max_plain
        .ok_or_else(|| SaslError::Failed(format!("the server takes only {max_buf} bytes a message")))?;
    let outgoing = match cipher {
        None => None,
        Some(c) => Some((c, Sealer::new(c, &keys.seal_out)?)),
    };
    let incoming = match cipher {
        None => None,
        Some(c) => Some((c, Opener::new(c, &keys.seal_in)?)),
    };
    Ok(SecurityLayer {
        wrap: Box::new(Out { sign: keys.sign_out, seal: outgoing, sequence: 0, max_plain }),
        unwrap: Box::new(In { sign: keys.sign_in, seal: incoming, sequence: 0 }),
    })
}

/// Lets the security layer of each cipher read what a server sends, for `scripts/fuzz`.
#[cfg(fuzzing)]
pub(crate) fn unwrap_with_each_cipher(wrapped: &[u8]) {
    for cipher in Cipher::ALL.into_iter().map(Some).chain([None]) {
        let keys = Keys::derive(&[7; 16], cipher);
        if let Ok(mut layer) = layer(&keys, cipher, wrapped.len()) {
            let _ = (layer.unwrap.unwrap(wrapped), layer.wrap.wrap(wrapped), layer.wrap.max_plain());
        }
    }
}

fn mac(key: &[u8; 16], sequence: u32, message: &[u8]) -> Result<[u8; MAC], SaslError> {
    let mut mac =
        hmac::Hmac::<Md5>::new_from_slice(key).map_err(|_| SaslError::Failed("bad key length".into()))?;
    mac.update(&sequence.to_be_bytes());
    mac.update(message);
    let mut short = [0; MAC];
    short.copy_from_slice(&mac.finalize().into_bytes()[..MAC]);
    Ok(short)
}

struct Out {
    sign: [u8; 16],
    seal: Option<(Cipher, Sealer)>,
    sequence: u32,
    max_plain: usize,
}

impl Wrap for Out {
    fn max_plain(&self) -> usize {
        self.max_plain
    }

    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, SaslError> {
        let mut out = plain.to_vec();
        let mac = mac(&self.sign, self.sequence, plain)?;
        if let Some((cipher, sealer)) = &mut self.seal {
            let block = cipher.block();
            if block > 1 {
                let pad = block - (plain.len() + MAC) % block;
                out.extend(std::iter::repeat_n(pad as u8, pad));
            }
            out.extend_from_slice(&mac);
            sealer.apply(&mut out)?;
        } else {
            out.extend_from_slice(&mac);
        }
        out.extend_from_slice(&MESSAGE_TYPE);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        Ok(out)
    }
}

struct In {
    sign: [u8; 16],
    seal: Option<(Cipher, Opener)>,
    sequence: u32,
}

impl Unwrap for In {
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, SaslError> {
        let bad =
            |what: &str| SaslError::Failed(format!("a protected message from the server is wrong: {what}"));
        let (sealed, tail) =
            wrapped.split_at_checked(wrapped.len().saturating_sub(TAIL)).ok_or_else(|| bad("length"))?;
        if tail.len() != TAIL || tail[..2] != MESSAGE_TYPE || tail[2..] != self.sequence.to_be_bytes() {
            return Err(bad("its sequence number"));
        }
        let mut plain = sealed.to_vec();
        if let Some((_, opener)) = &mut self.seal {
            opener.apply(&mut plain)?;
        }
        let cut = plain.len().checked_sub(MAC).ok_or_else(|| bad("length"))?;
        let signature = plain.split_off(cut);
        if let Some((cipher, _)) = &self.seal
            && cipher.block() > 1
        {
            let pad = usize::from(plain.last().copied().unwrap_or_default());
            let keep = plain.len().checked_sub(pad).filter(|_| (1..=8).contains(&pad));
            plain.truncate(keep.ok_or_else(|| bad("its padding"))?);
        }
        if mac(&self.sign, self.sequence, &plain)?[..] != signature {
            return Err(bad("its signature"));
        }
        self.sequence = self.sequence.wrapping_add(1);
        Ok(plain)
    }
}

/// Encrypts the messages of one direction. The state of the cipher continues from one message to the next.
enum Sealer {
    Rc4(Box<Rc4>),
    Des(Box<cbc::Encryptor<Des>>),
    TripleDes(Box<cbc::Encryptor<TdesEde2>>),
}

/// Decrypts the messages of one direction.
enum Opener {
    Rc4(Box<Rc4>),
    Des(Box<cbc::Decryptor<Des>>),
    TripleDes(Box<cbc::Decryptor<TdesEde2>>),
}

impl Sealer {
    fn new(cipher: Cipher, key: &[u8; 16]) -> Result<Self, SaslError> {
        Ok(match cipher {
            Cipher::Rc4 | Cipher::Rc4With56 | Cipher::Rc4With40 => Self::Rc4(Box::new(rc4(key)?)),
            Cipher::Des => Self::Des(Box::new(block_mode(&des_key(key, 0), key)?)),
            Cipher::TripleDes => Self::TripleDes(Box::new(block_mode(&two_des_keys(key), key)?)),
        })
    }

    fn apply(&mut self, data: &mut [u8]) -> Result<(), SaslError> {
        match self {
            Self::Rc4(c) => stream(c, data),
            Self::Des(c) => blocks(data, |block| c.encrypt_block(block.into())),
            Self::TripleDes(c) => blocks(data, |block| c.encrypt_block(block.into())),
        }
    }
}

impl Opener {
    fn new(cipher: Cipher, key: &[u8; 16]) -> Result<Self, SaslError> {
        Ok(match cipher {
            Cipher::Rc4 | Cipher::Rc4With56 | Cipher::Rc4With40 => Self::Rc4(Box::new(rc4(key)?)),
            Cipher::Des => Self::Des(Box::new(block_mode(&des_key(key, 0), key)?)),
            Cipher::TripleDes => Self::TripleDes(Box::new(block_mode(&two_des_keys(key), key)?)),
        })
    }

    fn apply(&mut self, data: &mut [u8]) -> Result<(), SaslError> {
        match self {
            Self::Rc4(c) => stream(c, data),
            Self::Des(c) => blocks(data, |block| c.decrypt_block(block.into())),
            Self::TripleDes(c) => blocks(data, |block| c.decrypt_block(block.into())),
        }
    }
}

fn rc4(key: &[u8; 16]) -> Result<Rc4, SaslError> {
    Rc4::new_from_slice(key).map_err(|_| SaslError::Failed("bad key length".into()))
}

/// The last 8 bytes of `key` are the initialization vector.
fn block_mode<M: KeyIvInit>(cipher_key: &[u8], key: &[u8; 16]) -> Result<M, SaslError> {
    M::new_from_slices(cipher_key, &key[8..]).map_err(|_| SaslError::Failed("bad key length".into()))
}

fn stream(cipher: &mut Rc4, data: &mut [u8]) -> Result<(), SaslError> {
    cipher.try_apply_keystream(data).map_err(|_| SaslError::Failed("the cipher is used up".into()))
}

fn blocks(data: &mut [u8], mut apply: impl FnMut(&mut [u8; 8])) -> Result<(), SaslError> {
    let (whole, rest) = data.as_chunks_mut::<8>();
    if !rest.is_empty() {
        return Err(SaslError::Failed("an encrypted message is not a whole number of blocks".into()));
    }
    whole.iter_mut().for_each(&mut apply);
    Ok(())
}

/// Spreads the bits of 7 bytes of `key`, from `at` on, over 8 bytes, of which DES does not use the lowest
/// bits.
fn des_key(key: &[u8; 16], at: usize) -> [u8; 8] {
    let bits = key[at..at + 7].iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    std::array::from_fn(|i| ((bits >> (49 - 7 * i)) as u8 & 0x7f) << 1)
}

fn two_des_keys(key: &[u8; 16]) -> [u8; 16] {
    let (first, second) = (des_key(key, 0), des_key(key, 7));
    std::array::from_fn(|i| if i < 8 { first[i] } else { second[i - 8] })
}

pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(cipher: Option<Cipher>) -> (SecurityLayer, SecurityLayer) {
        let keys = Keys::derive(b"0123456789abcdef", cipher);
        (layer(&keys, cipher, 65_536).unwrap(), layer(&keys.swapped(), cipher, 65_536).unwrap())
    }

    fn any_cipher() -> impl Strategy<Value = Option<Cipher>> {
        prop::sample::select(std::iter::once(None).chain(Cipher::ALL.map(Some)).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn both_directions(cipher in any_cipher(),
                           messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..6)) {
            let (mut client, mut server) = pair(cipher);
            for m in &messages {
                let wrapped = client.wrap.wrap(m).unwrap();
                prop_assert!(wrapped.len() <= m.len() + 24);
                prop_assert_eq!(&server.unwrap.unwrap(&wrapped).unwrap(), m);
                prop_assert_eq!(&client.unwrap.unwrap(&server.wrap.wrap(m).unwrap()).unwrap(), m);
            }
        }

        #[test]
        fn a_changed_byte_is_seen(cipher in any_cipher(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (mut client, mut server) = pair(cipher);
            let mut wrapped = client.wrap.wrap(b"move 100 to Bob").unwrap();
            let at = at.index(wrapped.len());
            wrapped[at] ^= 1 << bit;
            prop_assert!(server.unwrap.unwrap(&wrapped).is_err());
        }

        #[test]
        fn any_bytes(cipher in any_cipher(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(pair(cipher).0.unwrap.unwrap(&bytes).is_err());
        }
    }

    #[test]
    fn a_repeated_message_is_refused() {
        let (mut client, mut server) = pair(Some(Cipher::Rc4));
        let wrapped = client.wrap.wrap(b"once").unwrap();
        assert!(server.unwrap.unwrap(&wrapped).is_ok());
        assert!(server.unwrap.unwrap(&wrapped).is_err());
    }
}
