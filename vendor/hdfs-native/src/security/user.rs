// Changed by heddle: see HEDDLE.md.
use prost::Message;
use whoami::username;

use crate::HdfsError;
use crate::Result;
use crate::proto::hdfs::BlockTokenSecretProto;

/// What the client needs of a block token's identifier
#[derive(Debug)]
pub(crate) struct BlockTokenIdentifier {
    pub block_pool_id: String,
    pub handshake_secret: Vec<u8>,
}

impl BlockTokenIdentifier {
    /// Returns `None` if the identifier isn't complete.
    fn parse_writable(reader: &mut Reader<'_>) -> Option<Self> {
        let _expiry_date = reader.vlong()?;
        let _key_id = reader.vlong()?;
        let _user_id = reader.int_string()?;
        let block_pool_id = String::from_utf8(reader.int_string()?.to_vec()).ok()?;
        let _block_id = reader.vlong()?;

        // The rest of the fields may or may not be present depending on HDFS version
        for _modes_and_storage_types in 0..2 {
            if !reader.0.is_empty() {
                for _ in 0..reader.len()? {
                    reader.vint_string()?;
                }
            }
        }

        if !reader.0.is_empty() {
            // Storage IDs
            for _ in 0..reader.len()? {
                reader.int_string()?;
            }
        }

        let handshake_secret = if reader.0.is_empty() {
            vec![]
        } else {
            let handshake_secret_len = reader.len()?;
            reader.take(handshake_secret_len)?.to_vec()
        };

        Some(BlockTokenIdentifier {
            block_pool_id,
            handshake_secret,
        })
    }

    fn parse_protobuf(identifier: &[u8]) -> Result<Self> {
        let secret_proto = BlockTokenSecretProto::decode(identifier)?;

        Ok(BlockTokenIdentifier {
            block_pool_id: secret_proto.block_pool_id().to_string(),
            handshake_secret: secret_proto.handshake_secret().to_vec(),
        })
    }

    pub(crate) fn from_identifier(identifier: &[u8]) -> Result<Self> {
        match identifier.first() {
            // There are no block tokens, but there can be a data encryption key
            None => Ok(BlockTokenIdentifier {
                block_pool_id: String::new(),
                handshake_secret: Vec::new(),
            }),
            Some(first) if *first == 0 || *first > 127 => {
                Self::parse_writable(&mut Reader(identifier)).ok_or_else(|| {
                    HdfsError::SASLError("Failed to parse the block token".to_string())
                })
            }
            Some(_) => Self::parse_protobuf(identifier),
        }
    }
}

/// Reads what the class WritableUtils in Hadoop writes
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn vlong(&mut self) -> Option<i64> {
        let first_byte = self.take(1)?[0] as i8;
        if first_byte >= -112 {
            return Some(first_byte as i64);
        }

        let (is_negative, length) = if first_byte < -120 {
            (true, -120 - first_byte)
        } else {
            (false, -112 - first_byte)
        };
        let i = self
            .take(length as usize)?
            .iter()
            .fold(0i64, |i, b| i << 8 | i64::from(*b));
        Some(if is_negative { i ^ -1 } else { i })
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.vlong()?).ok()
    }

    /// A string prefixed with the length as an int, which is -1 if there is none
    fn int_string(&mut self) -> Option<&'a [u8]> {
        let length = self.take(4)?;
        match i32::from_be_bytes([length[0], length[1], length[2], length[3]]) {
            -1 => Some(&[]),
            length => self.take(usize::try_from(length).ok()?),
        }
    }

    /// A string prefixed with the length as a vint
    fn vint_string(&mut self) -> Option<&'a [u8]> {
        let length = self.len()?;
        self.take(length)
    }
}

#[derive(Debug)]
pub(crate) struct UserInfo {
    pub(crate) real_user: Option<String>,
    pub(crate) effective_user: Option<String>,
}

/// The user of a connection with simple authentication: the given one, or else that of the process
pub(crate) fn get_simple_user(effective_user: Option<String>) -> UserInfo {
    UserInfo {
        real_user: None,
        effective_user: Some(
            effective_user.unwrap_or_else(|| username().unwrap_or_else(|_| "unknown".to_string())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_get_simple_user_uses_provided_effective_user() {
        let user_info = get_simple_user(Some("alice".to_string()));

        assert_eq!(user_info.real_user, None);
        assert_eq!(user_info.effective_user.as_deref(), Some("alice"));
    }

    #[test]
    fn test_load_block_token_identifier() {
        let token = [
            138u8, 1, 142, 89, 190, 30, 189, 140, 100, 197, 210, 104, 0, 0, 0, 4, 104, 100, 102,
            115, 0, 0, 0, 40, 66, 80, 45, 57, 55, 51, 52, 55, 55, 51, 54, 48, 45, 49, 57, 50, 46,
            49, 54, 56, 46, 49, 46, 49, 56, 52, 45, 49, 55, 49, 48, 56, 54, 54, 54, 49, 49, 51, 50,
            53, 128, 127, 255, 255, 255, 255, 255, 255, 239, 1, 4, 82, 69, 65, 68, 3, 4, 68, 73,
            83, 75, 4, 68, 73, 83, 75, 4, 68, 73, 83, 75, 3, 0, 0, 0, 39, 68, 83, 45, 97, 50, 100,
            51, 55, 50, 98, 101, 45, 101, 99, 98, 55, 45, 52, 101, 101, 49, 45, 98, 48, 99, 51, 45,
            48, 57, 102, 49, 51, 100, 52, 49, 57, 101, 52, 102, 0, 0, 0, 39, 68, 83, 45, 53, 56,
            54, 55, 50, 99, 50, 50, 45, 51, 49, 57, 99, 45, 52, 99, 50, 53, 45, 56, 55, 50, 98, 45,
            97, 56, 48, 49, 98, 57, 99, 100, 53, 102, 51, 49, 0, 0, 0, 39, 68, 83, 45, 102, 49,
            102, 57, 57, 97, 52, 49, 45, 56, 54, 102, 51, 45, 52, 57, 102, 56, 45, 57, 48, 50, 55,
            45, 98, 101, 102, 102, 54, 100, 100, 52, 53, 54, 54, 100,
        ];

        let token_identifier = BlockTokenIdentifier::from_identifier(&token).unwrap();
        assert_eq!(
            token_identifier.block_pool_id,
            "BP-973477360-192.168.1.184-1710866611325"
        );
        assert!(token_identifier.handshake_secret.is_empty());

        let with_secret = [&token[..], &[3, 1, 2, 3]].concat();
        let token_identifier = BlockTokenIdentifier::from_identifier(&with_secret).unwrap();
        assert_eq!(token_identifier.handshake_secret, [1, 2, 3]);
    }

    #[test]
    fn broken_block_tokens_are_errors() {
        assert!(BlockTokenIdentifier::from_identifier(&[]).is_ok());
        for broken in [&[0u8][..], &[128], &[138, 1], &[0, 0, 0xff, 0xff, 0xff, 0]] {
            assert!(BlockTokenIdentifier::from_identifier(broken).is_err());
        }
    }
}
