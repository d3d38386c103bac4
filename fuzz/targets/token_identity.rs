//! The identifiers of delegation tokens: any bytes are read as HDFS writes them, or as YARN does, or are no
//! identifier.
#![no_main]

use hadoop_fs::TokenIdentity;
use hadoop_rpc::Token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in ["HDFS_DELEGATION_TOKEN", "RM_DELEGATION_TOKEN"] {
        let token = Token { kind: kind.to_owned(), identifier: bytes.to_vec(), ..Token::default() };
        let Some(identity) = TokenIdentity::of(&token) else { continue };
        // Whoever a token is for is the user of a login, so it must be somebody.
        assert!(!identity.owner.is_empty() && identity.real_user.as_deref() != Some(""));
        assert_eq!(identity.kind, kind);
    }
});
