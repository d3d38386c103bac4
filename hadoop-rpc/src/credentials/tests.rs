use super::*;
use proptest::prelude::*;

/// What the fixtures hold; they were written by Hadoop 3.3.6.
fn written_by_java() -> Credentials {
    let token = |kind: &str, service: &str, identifier: Vec<u8>, password: &[u8]| Token {
        kind: kind.into(),
        service: service.into(),
        identifier,
        password: password.to_vec(),
    };
    let long = (0..300u16).map(|i| i as u8).collect();
    let mut c = Credentials::default();
    c.tokens.insert("127.0.0.1:8030".into(), token("YARN_AM_RM_TOKEN", "127.0.0.1:8030", long, b"geheim"));
    c.tokens.insert(
        "Ünïcode".into(),
        token("HDFS_DELEGATION_TOKEN", "nn.example:8020", vec![1, 2, 3], &[255, 0]),
    );
    c.tokens.insert("empty".into(), token("K", "", vec![], &[]));
    c.secrets.insert("heddle.control.secret".into(), b"0123456789abcdef0123456789abcdef".to_vec());
    c.secrets.insert("empty".into(), vec![]);
    c
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    hex::decode(std::fs::read_to_string(path).unwrap().trim()).unwrap()
}

#[test]
fn reads_what_java_wrote() {
    for name in ["credentials-writable.hex", "credentials-protobuf.hex"] {
        assert_eq!(Credentials::from_bytes(&fixture(name)).unwrap(), written_by_java(), "{name}");
    }
    // Java's order is that of a hash map, so compare sizes, not bytes.
    assert_eq!(written_by_java().to_writable_bytes().len(), fixture("credentials-writable.hex").len());
    assert_eq!(
        written_by_java().to_bytes(TokenFormat::Protobuf).len(),
        fixture("credentials-protobuf.hex").len()
    );
}

#[test]
fn files_are_private_and_whole() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("container_tokens");
    for format in [TokenFormat::Writable, TokenFormat::Protobuf] {
        written_by_java().write_file(&path, format).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Credentials::read_file(&path).unwrap(), written_by_java());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let missing = Credentials::read_file(&dir.path().join("none")).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read the credentials file"), "{missing}");
    let nowhere = dir.path().join("no/such/dir/file");
    assert!(written_by_java().write_file(&nowhere, TokenFormat::Writable).is_err());
}

#[test]
fn malformed_files_are_named() {
    for (bytes, why) in [
        (&b""[..], "does not begin with HDTS"),
        (b"HDTS", "ends after HDTS"),
        (b"HDTS\x07", "version 7"),
        (b"HDTS\x00\x01", "ends in the middle"),
        (b"HDTS\x00\x87\x7f", "negative"),
        (b"HDTS\x00\x88\xff\xff\xff\xff\xff\xff\xff\xff", "too large"),
    ] {
        let e = Credentials::from_bytes(bytes).unwrap_err().to_string();
        assert!(e.contains(why), "{e}");
    }
}

#[test]
fn finds_tokens_by_service() {
    let mut c = Credentials::default();
    let token = |service: &str| Token { kind: "K".into(), service: service.into(), ..Default::default() };
    for service in ["10.0.0.1:8030", "Host:8030", "a:1,b:1", ""] {
        c.add_token(token(service));
    }
    c.add_token(Token { kind: "L".into(), service: "10.0.0.2:1".into(), ..Default::default() });
    let find = |services: &[&str]| c.find_token("K", services).map(|t| t.service.as_str());
    assert_eq!(find(&["10.0.0.1:8030", "host:8030"]), Some("10.0.0.1:8030"));
    assert_eq!(find(&["10.0.0.9:8030", "host:8030"]), Some("Host:8030"));
    assert_eq!(find(&["b:1"]), Some("a:1,b:1"));
    assert_eq!(find(&["elsewhere:1"]), Some(""));
    assert_eq!(c.find_token("L", &["elsewhere:1"]), None);
}

#[test]
fn secrets_are_not_shown() {
    let text = format!("{:?} {:?}", written_by_java(), TokenSource::new(written_by_java()));
    assert!(text.contains("heddle.control.secret") && text.contains("YARN_AM_RM_TOKEN"));
    assert!(!text.contains("geheim") && !text.contains("0123456789abcdef"), "{text}");
}

#[test]
fn sources_are_shared_by_their_clones() {
    let source = TokenSource::default();
    let clone = source.clone();
    source.put("a", Token { kind: "K".into(), ..Default::default() });
    assert_eq!(clone.get().tokens.len(), 1);
    clone.replace(Credentials::default());
    assert!(source.get().tokens.is_empty());
}

fn any_credentials() -> impl Strategy<Value = Credentials> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..400);
    let token = (".{0,20}", ".{0,200}", bytes(), bytes())
        .prop_map(|(kind, service, identifier, password)| Token { kind, service, identifier, password });
    let tokens = prop::collection::btree_map(".{0,20}", token, 0..6);
    let secrets = prop::collection::btree_map(".{0,20}", bytes(), 0..6);
    (tokens, secrets).prop_map(|(tokens, secrets)| Credentials { tokens, secrets })
}

proptest! {
    #[test]
    fn both_formats_round_trip(c in any_credentials()) {
        for format in [TokenFormat::Writable, TokenFormat::Protobuf] {
            prop_assert_eq!(&Credentials::from_bytes(&c.to_bytes(format)).unwrap(), &c);
        }
    }

    #[test]
    fn damaged_files_do_no_harm(c in any_credentials(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for format in [TokenFormat::Writable, TokenFormat::Protobuf] {
            let mut bytes = c.to_bytes(format);
            let at = cut.index(bytes.len());
            drop(Credentials::from_bytes(&bytes[..at]));
            bytes[at] = byte;
            drop(Credentials::from_bytes(&bytes));
        }
    }
}
