//! The format of credentials files, which is that of Hadoop's class `org.apache.hadoop.security.Credentials`:
//! the bytes `HDTS`, one byte for the version, and then either Java's Writable encoding (version 0) or one
//! protobuf message with its length before it (version 1).

use prost::Message as _;

use super::token::{Credentials, Token};
use crate::proto;

const MAGIC: &[u8; 4] = b"HDTS";
const WRITABLE: u8 = 0;
const PROTOBUF: u8 = 1;

pub(super) fn read(bytes: &[u8]) -> Result<Credentials, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin with HDTS")?;
    match rest.split_first() {
        Some((&WRITABLE, body)) => read_writable(body),
        Some((&PROTOBUF, body)) => read_protobuf(body),
        Some((version, _)) => Err(format!("version {version} is not known")),
        None => Err("it ends after HDTS".into()),
    }
}

fn read_protobuf(body: &[u8]) -> Result<Credentials, String> {
    let message = proto::Credentials::decode_length_delimited(body).map_err(|e| e.to_string())?;
    let mut credentials = Credentials::default();
    for entry in message.tokens {
        let token = entry.token.ok_or_else(|| format!("the entry {} has no token", entry.alias))?;
        let proto::Token { identifier, password, kind, service } = token;
        credentials.tokens.insert(entry.alias, Token { kind, service, identifier, password });
    }
    for entry in message.secrets {
        credentials.secrets.insert(entry.alias, entry.secret.unwrap_or_default());
    }
    Ok(credentials)
}

pub(super) fn write_protobuf(credentials: &Credentials) -> Vec<u8> {
    let tokens = credentials.tokens.iter().map(|(alias, t)| {
        let (identifier, password) = (t.identifier.clone(), t.password.clone());
        let token = proto::Token { identifier, password, kind: t.kind.clone(), service: t.service.clone() };
        proto::CredentialsKv { alias: alias.clone(), token: Some(token), secret: None }
    });
    let secrets = credentials.secrets.iter().map(|(alias, secret)| proto::CredentialsKv {
        alias: alias.clone(),
        token: None,
        secret: Some(secret.clone()),
    });
    let message = proto::Credentials { tokens: tokens.collect(), secrets: secrets.collect() };
    let mut out = MAGIC.to_vec();
    out.push(PROTOBUF);
    out.extend_from_slice(&message.encode_length_delimited_to_vec());
    out
}

fn read_writable(body: &[u8]) -> Result<Credentials, String> {
    let mut input = WritableReader { rest: body };
    let mut credentials = Credentials::default();
    for _ in 0..input.length()? {
        let alias = input.text()?;
        let (identifier, password) = (input.bytes()?, input.bytes()?);
        let (kind, service) = (input.text()?, input.text()?);
        credentials.tokens.insert(alias, Token { kind, service, identifier, password });
    }
    for _ in 0..input.length()? {
        let alias = input.text()?;
        credentials.secrets.insert(alias, input.bytes()?);
    }
    Ok(credentials)
}

pub(super) fn write_writable(credentials: &Credentials) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(WRITABLE);
    write_length(&mut out, credentials.tokens.len());
    for (alias, token) in &credentials.tokens {
        write_bytes(&mut out, alias.as_bytes());
        write_bytes(&mut out, &token.identifier);
        write_bytes(&mut out, &token.password);
        write_bytes(&mut out, token.kind.as_bytes());
        write_bytes(&mut out, token.service.as_bytes());
    }
    write_length(&mut out, credentials.secrets.len());
    for (alias, secret) in &credentials.secrets {
        write_bytes(&mut out, alias.as_bytes());
        write_bytes(&mut out, secret);
    }
    out
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Writes a number as `WritableUtils.writeVLong` of Hadoop does: up to 127 as one byte, and otherwise as a
/// byte `-112 - n` and the number in n bytes, in big-endian order.
fn write_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(small) if small <= 127 => out.push(small),
        _ => {
            let bytes = (length as u64).to_be_bytes();
            let significant = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len())..];
            out.push((-112 - significant.len() as i32) as u8);
            out.extend_from_slice(significant);
        }
    }
}

struct WritableReader<'a> {
    rest: &'a [u8],
}

impl<'a> WritableReader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or("it ends in the middle of an entry")?;
        self.rest = rest;
        Ok(head)
    }

    fn length(&mut self) -> Result<usize, String> {
        let first = self.take(1)?.first().copied().unwrap_or_default().cast_signed();
        let count = match first {
            0..=127 => return Ok(first.unsigned_abs().into()),
            -120..=-113 => usize::from((-112 - i16::from(first)).unsigned_abs()),
            _ => return Err("a length is negative".into()),
        };
        let value = self.take(count)?.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        i32::try_from(value)
            .ok()
            .and_then(|v| usize::try_from(v).ok())
            .ok_or_else(|| "a length is too large".into())
    }

    fn bytes(&mut self) -> Result<Vec<u8>, String> {
        let length = self.length()?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Result<String, String> {
        String::from_utf8(self.bytes()?).map_err(|_| "a name is not UTF-8".into())
    }
}
