//! The client's side of DIGEST-MD5 (RFC 2831), the SASL mechanism by which Hadoop authenticates with tokens.
//! The user name is the token's identifier, and the password is the token's password, both in Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::Rng as _;

use super::layer::{self, Cipher, Keys, md5};
use super::{Mechanism, Protection, SaslError, SaslOffer, SecurityLayer};
use crate::credentials::Token;

/// The largest wrapped message, in bytes, that the client tells the server to accept; it is Java's default.
const MAX_BUF: usize = 65_536;

pub(super) struct DigestMd5 {
    user: String,
    password: String,
    uri: String,
    cnonce: String,
    protection: Vec<Protection>,
    agreed: Option<Agreed>,
}

/// What is known once the challenge has been answered.
struct Agreed {
    ha1: [u8; 16],
    /// What the server must send to prove that it knows the password.
    rspauth: String,
    protection: Protection,
    cipher: Option<Cipher>,
    max_buf: usize,
}

impl DigestMd5 {
    pub(super) fn new(token: &Token, offer: &SaslOffer, protection: &[Protection]) -> Self {
        let mut nonce = [0u8; 30];
        rand::rng().fill_bytes(&mut nonce);
        Self {
            user: BASE64.encode(&token.identifier),
            password: BASE64.encode(&token.password),
            uri: format!("{}/{}", offer.protocol, offer.server_id),
            cnonce: BASE64.encode(nonce),
            protection: protection.to_vec(),
            agreed: None,
        }
    }

    fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let challenge = Challenge::parse(challenge)?;
        let protection = Protection::choose(&self.protection, &challenge.qop);
        let protection = protection.ok_or_else(|| SaslError::Protection {
            server: Protection::named(&challenge.qop),
            client: self.protection.iter().map(|p| p.name()).collect::<Vec<_>>().join(", "),
        })?;
        let cipher = match protection {
            Protection::Privacy => Some(Cipher::choose(&challenge.ciphers).ok_or_else(|| {
                SaslError::Failed(format!(
                    "no common cipher: the server offers {}",
                    challenge.ciphers.join(", ")
                ))
            })?),
            _ => None,
        };

        let (nonce, cnonce, uri, qop) = (&challenge.nonce, &self.cnonce, &self.uri, protection.qop());
        let secret =
            md5(&[self.user.as_bytes(), b":", challenge.realm.as_bytes(), b":", self.password.as_bytes()]);
        let ha1 = md5(&[&secret, b":", nonce.as_bytes(), b":", cnonce.as_bytes()]);
        // With a security layer, RFC 2831 has zeros where HTTP has the hash of the message's body (section
        // 2.1.2.1).
        let body =
            if protection == Protection::Authentication { "" } else { ":00000000000000000000000000000000" };
        let proof = |who: &str| {
            let ha2 = hex::encode(md5(&[who.as_bytes(), b":", uri.as_bytes(), body.as_bytes()]));
            let ha1 = hex::encode(ha1);
            hex::encode(md5(&[format!("{ha1}:{nonce}:00000001:{cnonce}:{qop}:{ha2}").as_bytes()]))
        };

        let mut out = String::new();
        if challenge.utf8 {
            out.push_str("charset=utf-8,");
        }
        out.push_str(&format!("username=\"{}\",realm=\"{}\",", quoted(&self.user), quoted(&challenge.realm)));
        out.push_str(&format!("nonce=\"{}\",nc=00000001,cnonce=\"{cnonce}\",", quoted(nonce)));
        out.push_str(&format!("digest-uri=\"{}\",maxbuf={MAX_BUF},", quoted(uri)));
        out.push_str(&format!("response={},qop={qop}", proof("AUTHENTICATE")));
        if let Some(cipher) = cipher {
            out.push_str(&format!(",cipher=\"{}\"", cipher.name()));
        }
        let rspauth = proof("");
        self.agreed = Some(Agreed { ha1, rspauth, protection, cipher, max_buf: challenge.max_buf });
        Ok(out.into_bytes())
    }
}

impl Mechanism for DigestMd5 {
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError> {
        match (challenge, &self.agreed) {
            (None, _) => Err(SaslError::Failed("the server offers tokens without a challenge".into())),
            (Some(challenge), None) => self.answer(challenge),
            (Some(_), Some(_)) => Err(SaslError::Failed("the server sent a second challenge".into())),
        }
    }

    fn finish(&mut self, last: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError> {
        let agreed =
            self.agreed.take().ok_or_else(|| SaslError::Failed("success without a challenge".into()))?;
        let fields = parse_fields(last.unwrap_or_default())?;
        if !fields.iter().any(|(k, v)| k == "rspauth" && *v == agreed.rspauth) {
            return Err(SaslError::Failed(
                "the server did not prove that it knows the token's password".into(),
            ));
        }
        let Agreed { ha1, protection, cipher, max_buf, .. } = agreed;
        if protection == Protection::Authentication {
            return Ok(None);
        }
        let keys = Keys::derive(&ha1, cipher);
        layer::layer(&keys, cipher, max_buf).map(Some)
    }
}

struct Challenge {
    realm: String,
    nonce: String,
    qop: Vec<String>,
    ciphers: Vec<String>,
    max_buf: usize,
    utf8: bool,
}

impl Challenge {
    fn parse(bytes: &[u8]) -> Result<Self, SaslError> {
        let fields = parse_fields(bytes)?;
        let get = |key: &str| fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        let list = |value: &str| value.split(',').map(|v| v.trim().to_owned()).collect::<Vec<_>>();
        if get("algorithm").is_some_and(|a| a != "md5-sess") {
            return Err(SaslError::Failed("the server's challenge is not of algorithm md5-sess".into()));
        }
        let max_buf = match get("maxbuf") {
            Some(text) => text
                .parse()
                .map_err(|_| SaslError::Failed("maxbuf in the server's challenge is no number".into()))?,
            None => MAX_BUF,
        };
        Ok(Self {
            realm: get("realm").unwrap_or_default().to_owned(),
            nonce: get("nonce")
                .ok_or_else(|| SaslError::Failed("the server's challenge has no nonce".into()))?
                .to_owned(),
            qop: list(get("qop").unwrap_or("auth")),
            ciphers: list(get("cipher").unwrap_or_default()),
            max_buf,
            utf8: get("charset").is_some_and(|c| c.eq_ignore_ascii_case("utf-8")),
        })
    }
}

/// Reads fields of the form `key=value,key="quoted \"value\""`, with white space between the parts.
fn parse_fields(bytes: &[u8]) -> Result<Vec<(String, String)>, SaslError> {
    let bad = || SaslError::Failed("the server's challenge is not of the form key=value".into());
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.trim_matches(|c: char| c.is_whitespace() || c == ',');
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(bad)?;
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('"') {
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim_end().to_owned(), &after[end..])
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

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixture() -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/digest-md5.txt");
        std::fs::read_to_string(path).unwrap()
    }

    fn bytes(field: &str) -> Vec<u8> {
        if field == "-" { Vec::new() } else { hex::decode(field).unwrap() }
    }

    fn offer() -> SaslOffer {
        SaslOffer {
            method: "TOKEN".into(),
            mechanism: "DIGEST-MD5".into(),
            protocol: String::new(),
            server_id: "default".into(),
        }
    }

    fn sorted(fields: &[u8]) -> Vec<(String, String)> {
        let mut fields = parse_fields(fields).unwrap();
        fields.sort();
        fields
    }

    /// Whole dialogues recorded from Java, one per protection and cipher, with messages in both directions.
    #[test]
    fn agrees_with_java() {
        let text = fixture();
        let mut lines =
            text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split(' ').collect::<Vec<_>>());
        let secret = lines.next().unwrap();
        let token = Token { identifier: bytes(secret[0]), password: bytes(secret[1]), ..Default::default() };
        let mut seen = 0;
        for line in lines {
            let [qop, cipher, challenge, response, rspauth, plain, sent, received] = line[..] else {
                panic!()
            };
            let (challenge, response) = (bytes(challenge), bytes(response));
            let mut digest = DigestMd5::new(&token, &offer(), &Protection::ALL);
            digest.cnonce = sorted(&response).into_iter().find(|(k, _)| k == "cnonce").unwrap().1;
            // The recorded client was told to use this cipher, so only this one is offered.
            let only = parse_fields(&challenge).unwrap().iter().fold(String::new(), |text, (k, v)| {
                match k.as_str() {
                    "cipher" if cipher != "-" => format!("{text}cipher=\"{cipher}\","),
                    _ => format!("{text}{k}=\"{v}\","),
                }
            });
            let ours = digest.step(Some(only.as_bytes())).unwrap();
            assert_eq!(sorted(&ours), sorted(&response), "{qop} {cipher}");
            let layer = digest.finish(Some(&bytes(rspauth))).unwrap();
            assert_eq!(layer.is_none(), qop == "auth");
            let Some(mut layer) = layer else { continue };
            for ((plain, sent), received) in plain.split(',').zip(sent.split(',')).zip(received.split(',')) {
                if sent.is_empty() {
                    break;
                }
                assert_eq!(hex::encode(layer.wrap.wrap(&bytes(plain)).unwrap()), sent, "{qop} {cipher}");
                assert_eq!(layer.unwrap.unwrap(&bytes(received)).unwrap(), bytes(plain), "{qop} {cipher}");
                seen += 1;
            }
        }
        assert_eq!(seen, 6 * 4);
    }

    fn answered(challenge: &str, protection: &[Protection]) -> Result<DigestMd5, String> {
        let mut digest = DigestMd5::new(&Token::default(), &offer(), protection);
        digest.step(Some(challenge.as_bytes())).map_err(|e| e.to_string())?;
        Ok(digest)
    }

    #[test]
    fn a_server_without_the_password_is_refused() {
        let challenge = "realm=\"default\",nonce=\"n\",charset=utf-8,algorithm=md5-sess";
        for last in [None, Some(&b"rspauth=00"[..]), Some(b"")] {
            let mut digest = answered(challenge, &Protection::ALL).unwrap();
            assert!(digest.finish(last).is_err());
        }
        assert!(DigestMd5::new(&Token::default(), &offer(), &Protection::ALL).finish(None).is_err());
    }

    #[test]
    fn what_cannot_be_agreed_is_said() {
        let why = |challenge, protection: &[_]| answered(challenge, protection).err().unwrap();
        assert_eq!(
            why("nonce=n,qop=\"auth,auth-int\"", &[Protection::Privacy]),
            "the server offers authentication, integrity for the protection of messages, but \
             hadoop.rpc.protection here allows only privacy"
        );
        assert!(why("nonce=n,qop=\"auth-conf\",cipher=\"aes\"", &Protection::ALL).contains("aes"));
        assert!(why("realm=x", &Protection::ALL).contains("nonce"));
        assert!(why("nonce=n,algorithm=md5", &Protection::ALL).contains("md5-sess"));
        for order in [
            [Protection::Authentication, Protection::Integrity],
            [Protection::Integrity, Protection::Authentication],
        ] {
            let strongest = answered("nonce=n,qop=\"auth,auth-int\"", &order).unwrap();
            assert_eq!(strongest.agreed.unwrap().protection, Protection::Integrity);
        }
    }

    #[test]
    fn fields_as_servers_write_them() {
        let fields = parse_fields(br#"realm="a,b=\"c\"", nonce = x ,, qop="auth"#);
        assert!(fields.is_err(), "an open quote");
        let fields = parse_fields(br#" realm="a,b=\"c\"", nonce = x ,, qop="auth" "#).unwrap();
        let expect = [("realm", "a,b=\"c\""), ("nonce", "x"), ("qop", "auth")];
        assert_eq!(fields, expect.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    proptest! {
        #[test]
        fn any_challenge(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "[a-z,=\"\\\\ ]{0,40}") {
            for challenge in [&bytes[..], text.as_bytes()] {
                let mut digest = DigestMd5::new(&Token::default(), &offer(), &Protection::ALL);
                drop(digest.step(Some(challenge)));
                drop(digest.finish(Some(challenge)));
            }
        }
    }
}
