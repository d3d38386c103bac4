// Changed by heddle: see HEDDLE.md.
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use rand::Rng as _;

use crate::{HdfsError, Result, proto::hdfs::DataEncryptionKeyProto};

use super::Protection;

type HmacMD5 = Hmac<Md5>;
type TdesCBCEnc = cbc::Encryptor<des::TdesEde2>;
type TdesCBCDec = cbc::Decryptor<des::TdesEde2>;

/// The largest wrapped message of a server that does not say anything else. Java's default, too.
const DEFAULT_MAX_BUF: usize = 65536;
/// The length of the signature of a message
const MAC_LEN: usize = 10;
/// The length of the message type and the sequence number, which follow the signature
const TAIL_LEN: usize = 6;
const MESSAGE_TYPE: [u8; 2] = [0, 1];
/// The block size of 3DES, the only supported cipher
const BLOCK_LEN: usize = 8;

fn failed(why: impl Into<String>) -> HdfsError {
    HdfsError::SASLError(why.into())
}

fn choose_cipher(options: &[String]) -> Result<&'static str> {
    // Only allow 3DES, which each server of Java offers
    if options.iter().any(|o| o == "3des") {
        Ok("3des")
    } else {
        Err(failed(format!(
            "No valid cipher found, only 3DES is supported, but the server offers {}",
            options.join(", ")
        )))
    }
}

/// Take 14 bytes of key and turn them into two DES keys of 8 bytes each. DES doesn't look at the
/// parity bits, so they aren't set.
fn construct_des_key(key: &[u8; 16]) -> [u8; 16] {
    let half = |at: usize| {
        key[at..at + 7]
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte))
    };
    let halves = [half(0), half(7)];
    std::array::from_fn(|i| ((halves[i / 8] >> (49 - 7 * (i % 8))) as u8 & 0x7f) << 1)
}

fn h(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn gen_nonce() -> String {
    let mut cnonce_bytes = [0u8; 30];
    rand::rng().fill_bytes(&mut cnonce_bytes);
    BASE64.encode(cnonce_bytes)
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    qop: Vec<String>,
    maxbuf: usize,
    cipher: Vec<String>,
}

impl Challenge {
    fn parse(value: &[u8]) -> Result<Self> {
        let options = parse_fields(value)?;
        let get = |key: &str| {
            options
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.as_str())
        };
        let list = |value: &str| -> Vec<String> {
            value.split(',').map(|v| v.trim().to_string()).collect()
        };

        if get("algorithm").is_some_and(|algorithm| algorithm != "md5-sess") {
            return Err(failed("DIGEST challenge is not of algorithm md5-sess"));
        }
        let maxbuf = match get("maxbuf") {
            Some(text) => text
                .parse()
                .map_err(|_| failed("maxbuf in DIGEST challenge is not a number"))?,
            None => DEFAULT_MAX_BUF,
        };

        Ok(Self {
            realm: get("realm").unwrap_or_default().to_string(),
            nonce: get("nonce")
                .ok_or_else(|| failed("No nonce supplied in DIGEST challenge"))?
                .to_string(),
            qop: list(get("qop").unwrap_or("auth")),
            maxbuf,
            cipher: list(get("cipher").unwrap_or_default()),
        })
    }
}

/// Parse fields of the form `key=value,key="quoted \"value\""`, with optional white space.
fn parse_fields(bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let bad = || failed("DIGEST message is not of the form key=value");
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_matches(|c: char| c.is_whitespace() || c == ',');
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(bad)?;
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('"') {
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim_end().to_string(), &after[end..])
            }
            Some(inner) => {
                let mut value = String::new();
                let mut chars = inner.char_indices();
                let end = loop {
                    match chars.next().ok_or_else(bad)? {
                        (i, '"') => break i + 1,
                        (_, '\\') => value.push(chars.next().ok_or_else(bad)?.1),
                        (_, c) => value.push(c),
                    }
                };
                (value, &inner[end..])
            }
        };
        fields.push((key.trim().to_ascii_lowercase(), value));
        let tail = tail.trim_start();
        if !tail.is_empty() && !tail.starts_with(',') {
            return Err(bad());
        }
        rest = tail.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    Ok(fields)
}

/// What is known once the challenge has been answered
struct DigestContext {
    ha1: [u8; 16],
    /// What the server must send to prove that it knows the password
    rspauth: String,
    protection: Protection,
    maxbuf: usize,
}

enum DigestState {
    Pending,
    Stepped(DigestContext),
    Completed(DigestContext),
    Errored,
}

pub(super) struct DigestSaslSession {
    auth_id: String,
    password: String,
    digest_uri: String,
    cnonce: String,
    allowed: Vec<Protection>,
    /// The setting that says what is allowed
    setting: &'static str,
    state: DigestState,
}

impl DigestSaslSession {
    /// `digest_uri` is the service and the host, such as `hdfs/0`. `allowed` are the protections
    /// that the setting `setting` allows.
    pub(super) fn from_token(
        digest_uri: String,
        identifier: &[u8],
        password: &[u8],
        allowed: &[Protection],
        setting: &'static str,
    ) -> Self {
        Self {
            auth_id: BASE64.encode(identifier),
            password: BASE64.encode(password),
            digest_uri,
            cnonce: gen_nonce(),
            allowed: allowed.to_vec(),
            setting,
            state: DigestState::Pending,
        }
    }

    /// A session with a DataNode by the data encryption key. It's always for privacy.
    pub(super) fn from_encryption_key(
        digest_uri: String,
        encryption_key: &DataEncryptionKeyProto,
    ) -> Self {
        Self {
            auth_id: format!(
                "{} {} {}",
                encryption_key.key_id,
                encryption_key.block_pool_id,
                BASE64.encode(&encryption_key.nonce)
            ),
            password: BASE64.encode(&encryption_key.encryption_key),
            digest_uri,
            cnonce: gen_nonce(),
            allowed: vec![Protection::Privacy],
            setting: "dfs.encrypt.data.transfer",
            state: DigestState::Pending,
        }
    }

    /// Handle a message of the server. Returns what to send and whether the session is complete.
    pub(super) fn step(&mut self, token: Option<&[u8]>) -> Result<(Vec<u8>, bool)> {
        let token = token.ok_or_else(|| failed("The server sent no DIGEST-MD5 token"))?;
        match core::mem::replace(&mut self.state, DigestState::Errored) {
            DigestState::Pending => {
                let (message, ctx) = self.answer(&Challenge::parse(token)?)?;
                self.state = DigestState::Stepped(ctx);
                Ok((message, false))
            }
            DigestState::Stepped(ctx) => {
                let fields = parse_fields(token)?;
                if !fields
                    .iter()
                    .any(|(k, v)| k == "rspauth" && *v == ctx.rspauth)
                {
                    return Err(failed(
                        "the server did not prove that it knows the token's password",
                    ));
                }
                self.state = DigestState::Completed(ctx);
                Ok((Vec::new(), true))
            }
            DigestState::Completed(_) => Err(failed(
                "Failed to step, DIGEST-MD5 handshake already complete",
            )),
            DigestState::Errored => Err(failed("Failed to step, DIGEST-MD5 authentication failed")),
        }
    }

    fn answer(&self, challenge: &Challenge) -> Result<(Vec<u8>, DigestContext)> {
        let protection = Protection::choose(&self.allowed, &challenge.qop, self.setting)?;
        let cipher = match protection {
            Protection::Privacy => Some(choose_cipher(&challenge.cipher)?),
            _ => None,
        };

        let (realm, nonce, cnonce) = (&challenge.realm, &challenge.nonce, &self.cnonce);
        let (uri, qop) = (&self.digest_uri, protection.qop());
        let secret = h(&[
            self.auth_id.as_bytes(),
            b":",
            realm.as_bytes(),
            b":",
            self.password.as_bytes(),
        ]);
        let ha1 = h(&[&secret, b":", nonce.as_bytes(), b":", cnonce.as_bytes()]);
        let tail = if protection == Protection::Authentication {
            ""
        } else {
            ":00000000000000000000000000000000"
        };
        let compute = |authenticate: &str| {
            let ha2 = hex::encode(h(&[format!("{authenticate}:{uri}{tail}").as_bytes()]));
            let ha1 = hex::encode(ha1);
            hex::encode(h(&[
                format!("{ha1}:{nonce}:00000001:{cnonce}:{qop}:{ha2}").as_bytes()
            ]))
        };

        let mut message = format!(
            r#"username="{}",realm="{}",nonce="{}",cnonce="{cnonce}",nc=00000001,qop={qop},digest-uri="{}",maxbuf={DEFAULT_MAX_BUF},response={},charset=utf-8"#,
            quoted(&self.auth_id),
            quoted(realm),
            quoted(nonce),
            quoted(uri),
            compute("AUTHENTICATE"),
        );
        if let Some(c) = cipher {
            message.push_str(&format!(r#",cipher="{c}""#));
        }

        let ctx = DigestContext {
            ha1,
            rspauth: compute(""),
            protection,
            maxbuf: challenge.maxbuf,
        };
        Ok((message.into_bytes(), ctx))
    }

    /// Whether privacy was agreed on
    pub(super) fn supports_encryption(&self) -> bool {
        match &self.state {
            DigestState::Stepped(ctx) | DigestState::Completed(ctx) => {
                ctx.protection == Protection::Privacy
            }
            _ => false,
        }
    }

    /// The security layer that was agreed on, `None` if messages are plain. It's an error if the
    /// server hasn't proved yet that it knows the password.
    pub(super) fn finish(self) -> Result<Option<SecurityLayer>> {
        match self.state {
            DigestState::Completed(ctx) if ctx.protection == Protection::Authentication => Ok(None),
            DigestState::Completed(ctx) => {
                SecurityLayer::new(&ctx.ha1, ctx.protection == Protection::Privacy, ctx.maxbuf)
                    .map(Some)
            }
            _ => Err(failed(
                "the server did not prove that it knows the token's password",
            )),
        }
    }
}

/// The security layer of a session, for both directions. They are independent of each other.
pub(super) struct SecurityLayer {
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
}

impl SecurityLayer {
    fn new(ha1: &[u8; 16], encrypted: bool, maxbuf: usize) -> Result<Self> {
        let key = |magic: &str| h(&[ha1, magic.as_bytes()]);
        let bad_key = |_| failed("Invalid DIGEST-MD5 encryption key");
        let sealing = encrypted.then(|| {
            (
                key("Digest H(A1) to client-to-server sealing key magic constant"),
                key("Digest H(A1) to server-to-client sealing key magic constant"),
            )
        });
        let (encryptor, decryptor) = match &sealing {
            Some((client, server)) => (
                Some(
                    TdesCBCEnc::new_from_slices(&construct_des_key(client), &client[8..])
                        .map_err(bad_key)?,
                ),
                Some(
                    TdesCBCDec::new_from_slices(&construct_des_key(server), &server[8..])
                        .map_err(bad_key)?,
                ),
            ),
            None => (None, None),
        };
        // Padding adds up to one block to the signature and the tail
        let max_plain = maxbuf
            .checked_sub(MAC_LEN + TAIL_LEN + BLOCK_LEN)
            .filter(|n| *n > 0)
            .ok_or_else(|| failed(format!("the server takes only {maxbuf} bytes a message")))?;

        Ok(Self {
            encoder: Encoder {
                key: key("Digest session key to client-to-server signing key magic constant"),
                encryptor,
                seq_num: 0,
                max_plain,
            },
            decoder: Decoder {
                key: key("Digest session key to server-to-client signing key magic constant"),
                decryptor,
                seq_num: 0,
            },
        })
    }
}

fn mac(key: &[u8; 16], seq_num: u32, message: &[u8]) -> Result<HmacMD5> {
    let mut mac = HmacMD5::new_from_slice(key)
        .map_err(|_| failed("Invalid DIGEST-MD5 client integrity key"))?;
    mac.update(&seq_num.to_be_bytes());
    mac.update(message);
    Ok(mac)
}

/// Signs, and encrypts for privacy, what is sent
pub(super) struct Encoder {
    key: [u8; 16],
    encryptor: Option<TdesCBCEnc>,
    seq_num: u32,
    max_plain: usize,
}

impl Encoder {
    /// The most bytes that one message can hold
    pub(super) fn max_plain(&self) -> usize {
        self.max_plain
    }

    pub(super) fn encode(&mut self, buf: &[u8]) -> Result<Vec<u8>> {
        let mut message = Vec::with_capacity(buf.len() + MAC_LEN + TAIL_LEN + BLOCK_LEN);
        message.extend_from_slice(buf);
        let signature = mac(&self.key, self.seq_num, buf)?.finalize().into_bytes();

        if let Some(encryptor) = &mut self.encryptor {
            let padding_len = BLOCK_LEN - (buf.len() + MAC_LEN) % BLOCK_LEN;
            message.extend(std::iter::repeat_n(padding_len as u8, padding_len));
            message.extend_from_slice(&signature[..MAC_LEN]);
            let (blocks, _) = message.as_chunks_mut::<BLOCK_LEN>();
            for block in blocks {
                encryptor.encrypt_block(block.into());
            }
        } else {
            message.extend_from_slice(&signature[..MAC_LEN]);
        }

        message.extend_from_slice(&MESSAGE_TYPE);
        message.extend_from_slice(&self.seq_num.to_be_bytes());
        self.seq_num = self.seq_num.wrapping_add(1);
        Ok(message)
    }
}

/// Checks, and decrypts for privacy, what is received
pub(super) struct Decoder {
    key: [u8; 16],
    decryptor: Option<TdesCBCDec>,
    seq_num: u32,
}

impl Decoder {
    pub(super) fn decode(&mut self, buf: &[u8]) -> Result<Vec<u8>> {
        // Java wraps nothing as nothing
        if buf.is_empty() {
            return Ok(Vec::new());
        }
        let short = || failed("a protected message is too short");
        let (sealed, tail) = buf
            .split_at_checked(buf.len().saturating_sub(TAIL_LEN))
            .ok_or_else(short)?;
        if tail.len() != TAIL_LEN
            || tail[..2] != MESSAGE_TYPE
            || tail[2..] != self.seq_num.to_be_bytes()
        {
            return Err(failed("a protected message has a wrong sequence number"));
        }

        let mut message = sealed.to_vec();
        if let Some(decryptor) = &mut self.decryptor {
            let (blocks, rest) = message.as_chunks_mut::<BLOCK_LEN>();
            if !rest.is_empty() {
                return Err(failed("Invalid DIGEST-MD5 decryption block length"));
            }
            for block in blocks {
                decryptor.decrypt_block(block.into());
            }
        }

        let signature = message.split_off(message.len().checked_sub(MAC_LEN).ok_or_else(short)?);
        if self.decryptor.is_some() {
            let padding_len = usize::from(message.last().copied().unwrap_or_default());
            let len = message
                .len()
                .checked_sub(padding_len)
                .filter(|_| (1..=BLOCK_LEN).contains(&padding_len))
                .ok_or_else(|| failed("Integrity HMAC check failed"))?;
            message.truncate(len);
        }

        mac(&self.key, self.seq_num, &message)?
            .verify_truncated_left(&signature)
            .map_err(|_| failed("Integrity HMAC check failed"))?;
        self.seq_num = self.seq_num.wrapping_add(1);
        Ok(message)
    }
}

#[cfg(test)]
mod test {
    use super::{Challenge, DigestSaslSession, SecurityLayer, h};
    use crate::security::Protection;

    const SETTING: &str = "hadoop.rpc.protection";

    fn session(identifier: &[u8], password: &[u8], allowed: &[Protection]) -> DigestSaslSession {
        DigestSaslSession::from_token(
            "/default".to_string(),
            identifier,
            password,
            allowed,
            SETTING,
        )
    }

    fn pair(encrypted: bool) -> (SecurityLayer, SecurityLayer) {
        let client = SecurityLayer::new(b"0123456789abcdef", encrypted, 65536).unwrap();
        let mut server = SecurityLayer::new(b"0123456789abcdef", encrypted, 65536).unwrap();
        std::mem::swap(&mut server.encoder.key, &mut server.decoder.key);
        if encrypted {
            use cbc::cipher::KeyIvInit;
            let client_key = h(&[
                b"0123456789abcdef",
                b"Digest H(A1) to client-to-server sealing key magic constant",
            ]);
            let server_key = h(&[
                b"0123456789abcdef",
                b"Digest H(A1) to server-to-client sealing key magic constant",
            ]);
            server.encoder.encryptor = Some(
                super::TdesCBCEnc::new_from_slices(
                    &super::construct_des_key(&server_key),
                    &server_key[8..],
                )
                .unwrap(),
            );
            server.decoder.decryptor = Some(
                super::TdesCBCDec::new_from_slices(
                    &super::construct_des_key(&client_key),
                    &client_key[8..],
                )
                .unwrap(),
            );
        }
        (client, server)
    }

    #[test]
    fn test_challenge_parse() {
        let challenge = br#"realm="default",nonce="QuL3byVoKS0cM/M4b9/Dn2Pa0s/E8HSjXJW7XPim",qop="auth-conf,auth",charset=utf-8,cipher="3des,rc4,des,rc4-56,rc4-40",algorithm=md5-sess"#;
        let challenge = Challenge::parse(challenge).unwrap();
        assert_eq!(challenge.realm, "default");
        assert_eq!(challenge.qop, ["auth-conf", "auth"]);
        assert_eq!(challenge.cipher, ["3des", "rc4", "des", "rc4-56", "rc4-40"]);
        assert_eq!(challenge.maxbuf, 65536);

        for bad in [
            &b"realm=x"[..],
            b"nonce=n,maxbuf=much",
            b"nonce=n,algorithm=md5",
            b"nonce=\"n",
            b"\xff\xfe",
        ] {
            assert!(Challenge::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn test_digest_step_authentication() {
        let mut session = session(
            &[
                0, 26, 104, 100, 102, 115, 47, 108, 111, 99, 97, 108, 104, 111, 115, 116, 64, 69,
                88, 65, 77, 80, 76, 69, 46, 67, 79, 77, 0, 0, 138, 1, 142, 109, 254, 210, 147, 138,
                1, 142, 146, 11, 86, 147, 1, 2,
            ],
            &[
                14, 15, 143, 95, 134, 65, 129, 9, 34, 197, 119, 3, 114, 115, 76, 203, 148, 2, 171,
                78,
            ],
            &Protection::ALL,
        );
        session.cnonce = "UGP4ejVb7M54KO4yqDwCsA==".to_string();
        let (message, finished) = session
            .step(Some(
                br#"realm="default",nonce="A+DoU3+eajz9Ei11Ib0S9CUKLyLPh0qFJbwn1/OZ",qop="auth""#,
            ))
            .unwrap();
        assert!(!finished);
        let message = String::from_utf8(message).unwrap();
        assert!(
            message.contains("response=6dca7e74e7ea760a91758106fa7c885c"),
            "{message}"
        );
    }

    #[test]
    fn a_server_must_prove_that_it_knows_the_password() {
        let challenge = br#"realm="default",nonce="n",qop="auth,auth-int""#;
        for last in [&b""[..], b"rspauth=00", b"x"] {
            let mut session = session(b"a", b"b", &Protection::ALL);
            session.step(Some(challenge)).unwrap();
            assert!(session.step(Some(last)).is_err());
            assert!(session.finish().is_err());
        }
        let mut session = session(b"a", b"b", &Protection::ALL);
        assert!(session.step(None).is_err());
        session.state = super::DigestState::Pending;
        session.step(Some(challenge)).unwrap();
        assert!(session.finish().is_err());
    }

    #[test]
    fn only_allowed_protections_are_taken() {
        let mut session = session(b"a", b"b", &[Protection::Privacy]);
        let error = session.step(Some(br#"nonce="n",qop="auth,auth-int""#));
        assert_eq!(
            error.unwrap_err().to_string(),
            "SASL error: the server offers authentication, integrity for the protection of messages, \
             but hadoop.rpc.protection here allows only privacy"
        );
    }

    #[test]
    fn messages_go_both_ways() {
        for encrypted in [false, true] {
            let (mut client, mut server) = pair(encrypted);
            for len in [0usize, 1, 5, 6, 7, 8, 200, 70_000] {
                let plain = vec![7u8; len];
                let wrapped = client.encoder.encode(&plain).unwrap();
                assert!(wrapped.len() <= len + 24);
                assert_eq!(server.decoder.decode(&wrapped).unwrap(), plain);
                let wrapped = server.encoder.encode(&plain).unwrap();
                assert_eq!(client.decoder.decode(&wrapped).unwrap(), plain);
            }
        }
    }

    #[test]
    fn changed_and_repeated_messages_are_refused() {
        for encrypted in [false, true] {
            let (mut client, _) = pair(encrypted);
            let wrapped = client.encoder.encode(b"move 100 to Bob").unwrap();
            for at in 0..wrapped.len() {
                let mut changed = wrapped.clone();
                changed[at] ^= 1;
                assert!(pair(encrypted).1.decoder.decode(&changed).is_err());
                if at > 0 {
                    assert!(pair(encrypted).1.decoder.decode(&wrapped[..at]).is_err());
                }
            }
            let mut server = pair(encrypted).1;
            assert!(server.decoder.decode(&wrapped).is_ok());
            assert!(server.decoder.decode(&wrapped).is_err());
        }
    }

    #[test]
    fn a_tiny_maxbuf_is_refused() {
        assert!(SecurityLayer::new(&[0; 16], true, 24).is_err());
        assert!(SecurityLayer::new(&[0; 16], true, 25).is_ok());
    }
}
