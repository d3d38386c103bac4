//! What the identifier of a delegation token says: for whom the token is, who may renew it, and how long it
//! can live. The server that has issued the token keeps to what the identifier says, and a client can only
//! read it. The bytes may come from anywhere, so nothing about them is taken for granted.

use hadoop_rpc::Token;
use prost::Message as _;

/// The kinds of tokens whose identifier is a protobuf message. Releases of Hadoop before 2.6 write it as they
/// write all others.
const IN_PROTOBUF: [&str; 2] = ["RM_DELEGATION_TOKEN", "TIMELINE_DELEGATION_TOKEN"];
/// The version with which `AbstractDelegationTokenIdentifier` begins.
const VERSION: u8 = 0;

/// What the identifier of a delegation token says. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The kind of the token, such as `HDFS_DELEGATION_TOKEN`.
    pub kind: String,
    /// The user for whom the token is: a principal such as `alice@REALM`, or the name of a user for whom
    /// another one has fetched it.
    pub owner: String,
    /// The user who may renew the token, without a realm; empty if nobody may.
    pub renewer: String,
    /// The user who has fetched the token for the owner (impersonation), if it was another one.
    pub real_user: Option<String>,
    /// When the token was issued.
    pub issued_ms: u64,
    /// When the token ends, however often it is renewed. It ends earlier if nobody renews it.
    pub max_date_ms: u64,
    /// The number of the token among those of its server.
    pub sequence_number: i32,
}

/// `YARNDelegationTokenIdentifierProto` of YARN's yarn_security_token.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct YarnIdentifier {
    #[prost(string, optional, tag = "1")]
    owner: Option<String>,
    #[prost(string, optional, tag = "2")]
    renewer: Option<String>,
    #[prost(string, optional, tag = "3")]
    real_user: Option<String>,
    #[prost(int64, optional, tag = "4")]
    issue_date: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    max_date: Option<i64>,
    #[prost(int32, optional, tag = "6")]
    sequence_number: Option<i32>,
    #[prost(int32, optional, tag = "7")]
    master_key_id: Option<i32>,
}

impl TokenIdentity {
    /// What the identifier of this token says. `None` if the identifier is not that of a delegation token:
    /// other tokens, such as that of an ApplicationMaster, have identifiers of other forms.
    pub fn of(token: &Token) -> Option<Self> {
        let of_yarn = IN_PROTOBUF.contains(&token.kind.as_str());
        let in_protobuf = of_yarn.then(|| in_protobuf(token)).flatten();
        in_protobuf.or_else(|| as_writable(token))
    }
}

/// Reads what `AbstractDelegationTokenIdentifier.write` has written.
fn as_writable(token: &Token) -> Option<TokenIdentity> {
    let mut rest = token.identifier.as_slice();
    if take(&mut rest, 1)? != [VERSION] {
        return None;
    }
    let (owner, renewer, real_user) = (text(&mut rest)?, text(&mut rest)?, text(&mut rest)?);
    let (issued, max_date) = (number(&mut rest)?, number(&mut rest)?);
    let sequence_number = i32::try_from(number(&mut rest)?).ok()?;
    let _master_key_id = i32::try_from(number(&mut rest)?).ok()?;
    if !rest.is_empty() || owner.is_empty() {
        return None;
    }
    Some(TokenIdentity {
        kind: token.kind.clone(),
        owner,
        renewer,
        real_user: Some(real_user).filter(|user| !user.is_empty()),
        issued_ms: u64::try_from(issued).ok()?,
        max_date_ms: u64::try_from(max_date).ok()?,
        sequence_number,
    })
}

fn in_protobuf(token: &Token) -> Option<TokenIdentity> {
    let read = YarnIdentifier::decode(token.identifier.as_slice()).ok()?;
    Some(TokenIdentity {
        kind: token.kind.clone(),
        owner: read.owner.filter(|owner| !owner.is_empty())?,
        renewer: read.renewer.unwrap_or_default(),
        real_user: read.real_user.filter(|user| !user.is_empty()),
        issued_ms: u64::try_from(read.issue_date?).ok()?,
        max_date_ms: u64::try_from(read.max_date?).ok()?,
        sequence_number: read.sequence_number.unwrap_or_default(),
    })
}

/// Takes so many bytes from the front.
fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// Reads what Java's `Text.write` has written: the number of bytes, and then the text in UTF-8.
fn text(rest: &mut &[u8]) -> Option<String> {
    let count = usize::try_from(number(rest)?).ok()?;
    String::from_utf8(take(rest, count)?.to_vec()).ok()
}

/// Reads what Java's `WritableUtils.writeVLong` has written. Its first byte is the number itself, or says how
/// many bytes follow and whether the number is negative.
fn number(rest: &mut &[u8]) -> Option<i64> {
    let first = i8::from_be_bytes([*take(rest, 1)?.first()?]);
    let (count, negative) = match first {
        -112.. => return Some(i64::from(first)),
        -120..=-113 => (-112 - i32::from(first), false),
        _ => (-120 - i32::from(first), true),
    };
    let bytes = take(rest, usize::try_from(count).ok()?)?;
    let value = bytes.iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
    Some(if negative { !value } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(kind: &str, identifier: &[u8]) -> Token {
        Token { kind: kind.into(), identifier: identifier.to_vec(), ..Default::default() }
    }

    /// The bytes that Java writes for owner alice@R, renewer yarn, no real user, the issue date
    /// 1_700_000_000_000 (0x018bcfe56800), the maximum date 1_700_604_800_000 (0x018bf3f1ec00), the sequence
    /// number 300 (0x012c) and the key 2.
    fn of_alice() -> Vec<u8> {
        let mut bytes = vec![0, 7];
        bytes.extend(b"alice@R");
        bytes.push(4);
        bytes.extend(b"yarn");
        bytes.push(0);
        // -118: six bytes follow, and the number is positive.
        bytes.extend([0x8a, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00]);
        bytes.extend([0x8a, 0x01, 0x8b, 0xf3, 0xf1, 0xec, 0x00]);
        // -114: two bytes follow.
        bytes.extend([0x8e, 0x01, 0x2c]);
        bytes.push(2);
        bytes
    }

    #[test]
    fn what_hdfs_writes() {
        let read = TokenIdentity::of(&token("HDFS_DELEGATION_TOKEN", &of_alice())).unwrap();
        let expected = TokenIdentity {
            kind: "HDFS_DELEGATION_TOKEN".into(),
            owner: "alice@R".into(),
            renewer: "yarn".into(),
            real_user: None,
            issued_ms: 1_700_000_000_000,
            max_date_ms: 1_700_604_800_000,
            sequence_number: 300,
        };
        assert_eq!(read, expected);
        // A token that a gateway has fetched for bob, with nobody to renew it.
        let proxied = [&[0_u8, 3][..], b"bob", &[0, 4], b"gw@R", &[1, 2, 3, 4]].concat();
        let read = TokenIdentity::of(&token("kms-dt", &proxied)).unwrap();
        assert_eq!((read.owner.as_str(), read.renewer.as_str()), ("bob", ""));
        assert_eq!(read.real_user.as_deref(), Some("gw@R"));
        assert_eq!((read.issued_ms, read.max_date_ms, read.sequence_number), (1, 2, 3));
    }

    #[test]
    fn what_yarn_writes() {
        let message = YarnIdentifier {
            owner: Some("alice@R".into()),
            renewer: Some("rm".into()),
            real_user: Some(String::new()),
            issue_date: Some(5),
            max_date: Some(6),
            sequence_number: Some(7),
            master_key_id: Some(8),
        };
        let read = TokenIdentity::of(&token("RM_DELEGATION_TOKEN", &message.encode_to_vec())).unwrap();
        assert_eq!((read.owner.as_str(), read.renewer.as_str(), read.real_user), ("alice@R", "rm", None));
        assert_eq!((read.issued_ms, read.max_date_ms, read.sequence_number), (5, 6, 7));
        // An old ResourceManager writes it as HDFS does.
        assert_eq!(TokenIdentity::of(&token("RM_DELEGATION_TOKEN", &of_alice())).unwrap().renewer, "yarn");
        assert_eq!(TokenIdentity::of(&token("YARN_AM_RM_TOKEN", &message.encode_to_vec())), None);
    }

    #[test]
    fn numbers_as_java_writes_them() {
        for (bytes, expected) in [
            (&[0x00_u8][..], 0),
            (&[0x7f], 127),
            (&[0x90], -112),
            (&[0xff], -1),
            (&[0x8f, 0x80], 128),
            (&[0x87, 0x70], -113),
            (&[0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], i64::MAX),
            (&[0x80, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], i64::MIN),
        ] {
            let mut rest = bytes;
            assert_eq!(number(&mut rest), Some(expected), "{bytes:x?}");
            assert!(rest.is_empty(), "{bytes:x?}");
        }
    }

    #[test]
    fn bytes_that_are_none() {
        let whole = of_alice();
        for end in 0..whole.len() {
            assert_eq!(TokenIdentity::of(&token("HDFS_DELEGATION_TOKEN", &whole[..end])), None, "{end}");
        }
        let longer = [&whole[..], &[0]].concat();
        let newer = [&[1], &whole[1..]].concat();
        let no_owner = [0, 0, 0, 0, 1, 2, 3, 4];
        let negative_length = [0, 0xff, 0, 0, 1, 2, 3, 4];
        let negative_date = [0, 1, b'a', 0, 0, 0xff, 2, 3, 4];
        for bytes in [&longer[..], &newer, &no_owner, &negative_length, &negative_date] {
            assert_eq!(TokenIdentity::of(&token("HDFS_DELEGATION_TOKEN", bytes)), None, "{bytes:x?}");
        }
        // A text of more bytes than any machine has.
        let huge = [0, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a'];
        assert_eq!(TokenIdentity::of(&token("HDFS_DELEGATION_TOKEN", &huge)), None);
    }

    proptest! {
        #[test]
        fn any_bytes(
            kind in "(HDFS|RM)_DELEGATION_TOKEN",
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = TokenIdentity::of(&token(&kind, &bytes));
        }
    }
}
