//! Against a real KDC of MIT's and a server made with the same library. The library reads krb5.conf's place
//! from the environment, which a process does not change while it runs: so the one test starts the KDC, and
//! itself again for each case, with other variables.
#![expect(
    clippy::disallowed_methods,
    reason = "the test starts the KDC and itself, and gives them variables and a port"
)]

mod acceptor;
mod kdc;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hadoop_rpc::MechanismFactory as _;
use hadoop_rpc::{Endpoint, ErrorKind, HadoopConf, KerberosLogin as _, KerberosProblem, Mechanism};
use hadoop_rpc::{Protection, SaslConnection, SaslError, SaslOffer, SecurityLayer};

use crate::raw::flag;
use crate::{Context, Credentials, GssError, Kerberos, Library, ServerRule, Step, TicketLogin, TicketSource};
use acceptor::Acceptor;
use kdc::{Kdc, REALM};

const CASE: &str = "HEDDLE_TEST_KERBEROS_CASE";
const DIRECTORY: &str = "HEDDLE_TEST_KERBEROS_DIRECTORY";
/// The server's principal.
const SERVER: &str = "nn/localhost@HEDDLE.TEST";

type Case = (&'static str, fn(&Files));

/// The cases. Those whose name ends in `dead` have a krb5.conf in which the KDC is at a closed port.
const CASES: [Case; 12] = [
    ("keytab", keytab),
    ("keytab_later", keytab_later),
    ("ticket_cache", ticket_cache),
    ("no_ticket", no_ticket),
    ("expired", expired),
    ("wrong_keytab", wrong_keytab),
    ("unknown_server", unknown_server),
    ("messages", messages),
    ("no_delegation", no_delegation),
    ("sasl", sasl),
    ("login", login),
    ("kdc_is_dead", kdc_is_dead),
];

/// The files of the KDC's directory.
struct Files(PathBuf);

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn keytab(&self, name: &str, principal: &str) -> Result<TicketSource, GssError> {
        TicketSource::keytab(library(), &self.path(name), principal)
    }

    fn alice(&self) -> Credentials {
        self.keytab("alice.keytab", "alice").unwrap().acquire().unwrap()
    }

    fn cache(&self, name: &str) -> TicketSource {
        let name = format!("FILE:{}", self.path(name).display());
        TicketSource::cache(library(), Some(&name)).unwrap()
    }

    fn acceptor(&self) -> Acceptor {
        Acceptor::new(library(), &self.path("nn.keytab"))
    }
}

fn library() -> Library {
    Library::load().unwrap()
}

#[test]
fn with_a_kdc() {
    if let Ok(case) = std::env::var(CASE) {
        let files = Files(std::env::var_os(DIRECTORY).unwrap().into());
        let (_, run) = CASES.iter().find(|(name, _)| *name == case).unwrap();
        return run(&files);
    }
    let kdc = match Kdc::start() {
        Ok(kdc) => kdc,
        // The test runner does not show what tests that pass have printed.
        Err(why) => return std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap(),
    };
    let mut failed = Vec::new();
    for (name, _) in CASES {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["kdc_tests::with_a_kdc", "--exact", "--nocapture"]);
        command.env(CASE, name).env(DIRECTORY, kdc.path());
        command.env("KRB5_CONFIG", kdc.path().join("krb5.conf"));
        command.env("KRB5CCNAME", kdc.path().join(format!("{name}.default")));
        if name.ends_with("dead") {
            command.env("KRB5_CONFIG", kdc.path().join("dead.conf"));
        }
        let done = command.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        if !done.status.success() || !out.contains("1 passed") {
            failed.push(format!("---- {name}\n{out}{err}"));
        }
        println!("{out}");
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Both sides prove who they are. Returns the length of the client's first token.
fn prove(client: &mut Context, server: &mut Acceptor) -> usize {
    let Step::Continue(first) = client.step(None).unwrap() else { panic!("complete at once") };
    let answer = server.step(&first);
    assert_eq!(client.step(Some(&answer)), Ok(Step::Complete(Vec::new())));
    assert!(client.is_complete() && client.can_encrypt());
    first.len()
}

fn problem<T>(result: Result<T, GssError>) -> (KerberosProblem, String) {
    let error = result.err().unwrap();
    (error.problem(), error.to_string())
}

/// A login with a keytab touches no other cache, renews nothing that is fresh, and forgets its tickets.
fn keytab(files: &Files) {
    let source = files.keytab("alice.keytab", "alice").unwrap();
    let (first, second) = (source.acquire().unwrap(), source.acquire().unwrap());
    assert_eq!((first.principal(), first.realm()), ("alice@HEDDLE.TEST", REALM));
    let lifetime = first.lifetime().unwrap();
    assert!(lifetime > Duration::from_secs(3000) && lifetime <= Duration::from_secs(3600), "{lifetime:?}");
    assert!(second.lifetime().unwrap() <= lifetime);
    assert!(!files.path("keytab.default").exists());
    let (mut client, mut server) = (Context::initiate(&first, SERVER).unwrap(), files.acceptor());
    prove(&mut client, &mut server);
    assert_eq!(server.client(), "alice@HEDDLE.TEST");
    // Another user of the same process.
    let bob = files.keytab("bob.keytab", "bob@HEDDLE.TEST").unwrap().acquire().unwrap();
    assert_eq!(bob.principal(), "bob@HEDDLE.TEST");
    assert_eq!(source.acquire().unwrap().principal(), "alice@HEDDLE.TEST");

    let name = source.memory_cache().unwrap().to_string_lossy().into_owned();
    let tickets = || TicketSource::cache(library(), Some(&name)).unwrap().acquire();
    assert_eq!(tickets().unwrap().principal(), "alice@HEDDLE.TEST");
    drop((source, first, second));
    // The context still has credentials.
    assert!(tickets().is_ok());
    drop(client);
    assert_eq!(problem(tickets()).0, KerberosProblem::NoCredentials);
}

/// When its tickets have expired, a keytab gets new ones.
fn keytab_later(files: &Files) {
    let source = files.keytab("brief.keytab", "brief").unwrap();
    let early = source.acquire().unwrap();
    assert!(early.lifetime().unwrap() <= Duration::from_secs(2));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(problem(Context::initiate(&early, SERVER).unwrap().step(None)).0, KerberosProblem::Expired);
    let (mut client, mut server) =
        (Context::initiate(&source.acquire().unwrap(), SERVER).unwrap(), files.acceptor());
    prove(&mut client, &mut server);
}

fn ticket_cache(files: &Files) {
    kdc::kinit(&files.0, &["-c", &files.path("ticket_cache.default").display().to_string()], "alice");
    let source = TicketSource::cache(library(), None).unwrap();
    let found = source.acquire().unwrap();
    assert_eq!(found.principal(), "alice@HEDDLE.TEST");
    let (mut client, mut server) = (Context::initiate(&found, SERVER).unwrap(), files.acceptor());
    prove(&mut client, &mut server);
    assert_eq!(server.client(), "alice@HEDDLE.TEST");
    // A named one is independent of the default one, and a later kinit is seen.
    kdc::kinit(&files.0, &["-c", &files.path("other.cache").display().to_string()], "bob");
    assert_eq!(files.cache("other.cache").acquire().unwrap().principal(), "bob@HEDDLE.TEST");
    kdc::kinit(&files.0, &["-c", &files.path("ticket_cache.default").display().to_string()], "bob");
    assert_eq!(source.acquire().unwrap().principal(), "bob@HEDDLE.TEST");
}

fn no_ticket(files: &Files) {
    let (kind, words) = problem(TicketSource::cache(library(), None).unwrap().acquire());
    println!("{words}");
    assert_eq!(kind, KerberosProblem::NoCredentials);
    assert!(words.starts_with("reading the ticket cache: "), "{words}");
    let (kind, words) = problem(files.cache("none.cache").acquire());
    println!("{words}");
    assert_eq!(kind, KerberosProblem::NoCredentials);
    assert!(words.contains("none.cache: "), "{words}");
}

fn expired(files: &Files) {
    kdc::kinit(&files.0, &["-l", "2s", "-c", &files.path("short.cache").display().to_string()], "alice");
    let early = files.cache("short.cache").acquire();
    std::thread::sleep(Duration::from_secs(3));
    let (kind, words) = problem(files.cache("short.cache").acquire());
    println!("{words}");
    assert_eq!(kind, KerberosProblem::Expired, "{words}");
    // Credentials that have expired since they were acquired.
    if let Ok(credentials) = early {
        let (kind, words) = problem(Context::initiate(&credentials, SERVER).unwrap().step(None));
        println!("{words}");
        assert_eq!(kind, KerberosProblem::Expired, "{words}");
    }
}

fn wrong_keytab(files: &Files) {
    let open = |name: &str, principal: &str| files.keytab(name, principal).and_then(|s| s.acquire());
    for (name, principal, expected, part) in [
        ("none.keytab", "alice", KerberosProblem::Keytab, "there is no such file"),
        ("alice.keytab", "bob", KerberosProblem::Keytab, "it has no key of bob, but of alice@HEDDLE.TEST"),
        ("krb5.conf", "alice", KerberosProblem::Keytab, "it is not a keytab"),
        // Its key was replaced in the KDC, and its principal removed there.
        ("old.keytab", "old", KerberosProblem::Keytab, "old@HEDDLE.TEST"),
        ("gone.keytab", "gone", KerberosProblem::UnknownClient, "gone@HEDDLE.TEST"),
    ] {
        let (kind, words) = problem(open(name, principal));
        println!("{words}");
        assert!(kind == expected && words.contains(part), "{name}: {kind:?} {words}");
    }
    // One that is removed after it was read.
    let copy = files.path("copy.keytab");
    std::fs::copy(files.path("alice.keytab"), &copy).unwrap();
    let source = files.keytab("copy.keytab", "alice").unwrap();
    std::fs::remove_file(&copy).unwrap();
    let (kind, words) = problem(source.acquire());
    assert!(kind == KerberosProblem::Keytab && words.ends_with("there is no such file"), "{words}");
}

fn unknown_server(files: &Files) {
    let mut client = Context::initiate(&files.alice(), "nn/elsewhere@HEDDLE.TEST").unwrap();
    let (kind, words) = problem(client.step(None));
    println!("{words}");
    assert_eq!(kind, KerberosProblem::UnknownServer, "{words}");
    assert!(words.contains("nn/elsewhere@HEDDLE.TEST"), "{words}");
    // A server with another key cannot read the ticket, and what it would answer proves nothing.
    let mut client = Context::initiate(&files.alice(), SERVER).unwrap();
    let Step::Continue(first) = client.step(None).unwrap() else { panic!("complete at once") };
    assert!(Acceptor::new(library(), &files.path("bob.keytab")).try_step(&first).is_err());
    assert!(client.step(Some(b"nonsense")).is_err());
    assert!(!client.is_complete());
}

fn messages(files: &Files) {
    let (mut client, mut server) = (Context::initiate(&files.alice(), SERVER).unwrap(), files.acceptor());
    assert!(client.wrap(b"early", true).is_err() && client.unwrap(b"early", true).is_err());
    prove(&mut client, &mut server);
    assert!(client.step(Some(b"again")).is_err());
    let marker = b"a marker that nobody else should read";
    let visible = |bytes: &[u8]| bytes.windows(marker.len()).any(|part| part == marker);
    for encrypt in [false, true] {
        for _ in 0..3 {
            let there = client.wrap(marker, encrypt).unwrap();
            assert_eq!(visible(&there), !encrypt);
            assert_eq!(server.unwrap(&there, encrypt).unwrap(), marker);
            let back = server.wrap(marker, encrypt).unwrap();
            assert_eq!(client.unwrap(&back, encrypt).unwrap(), marker);
        }
        let limit = client.wrap_size_limit(encrypt, 65_536).unwrap();
        assert!((65_000..65_536).contains(&limit), "{limit}");
        let longest = client.wrap(&vec![7; limit as usize], encrypt).unwrap();
        assert!(longest.len() <= 65_536);
        assert_eq!(server.unwrap(&longest, encrypt).unwrap().len(), limit as usize);
    }
    // Whoever changes, repeats, leaves out or does not encrypt a message is noticed.
    let sent = server.wrap(marker, true).unwrap();
    let mut changed = sent.clone();
    *changed.last_mut().unwrap() ^= 1;
    let (kind, words) = problem(client.unwrap(&changed, true));
    println!("{words}");
    assert_eq!(kind, KerberosProblem::Other);
    assert_eq!(client.unwrap(&sent, true).unwrap(), marker);
    let plain = server.wrap(marker, false).unwrap();
    assert!(problem(client.unwrap(&plain, true)).1.ends_with("it is not encrypted, but must be"));
    let next = server.wrap(marker, true).unwrap();
    assert_eq!(client.unwrap(&next, true).unwrap(), marker);
    assert!(problem(client.unwrap(&next, true)).1.contains("it came twice"));
    let (left_out, last) = (server.wrap(marker, true).unwrap(), server.wrap(marker, true).unwrap());
    assert!(client.unwrap(&last, true).is_err());
    assert!(client.unwrap(&left_out, true).is_err());
}

/// The server gets no ticket of the client's, even if the client's may be forwarded.
fn no_delegation(files: &Files) {
    let mut lengths = Vec::new();
    for (cache, option) in [("fixed.cache", "-F"), ("forwardable.cache", "-f")] {
        kdc::kinit(&files.0, &[option, "-c", &files.path(cache).display().to_string()], "alice");
        let credentials = files.cache(cache).acquire().unwrap();
        let (mut client, mut server) = (Context::initiate(&credentials, SERVER).unwrap(), files.acceptor());
        lengths.push(prove(&mut client, &mut server));
        assert!(!server.has_delegated() && server.flags() & flag::DELEGATE == 0);
        assert_ne!(server.flags() & flag::MUTUAL, 0);
    }
    // A ticket adds hundreds of bytes. A random number in the token may be written with one byte less.
    assert!(lengths[0].abs_diff(lengths[1]) < 20, "a token with a ticket in it is longer: {lengths:?}");
}

/// The whole dialogue as Hadoop has it, for each protection of messages.
fn sasl(files: &Files) {
    let key = "dfs.namenode.kerberos.principal";
    let source = files.keytab("alice.keytab", "alice").unwrap();
    let start = |value: &str, host: &str, allowed: &[Protection]| {
        let conf = HadoopConf::from_map([(key, value)]);
        let kerberos = Kerberos::new(source.clone(), ServerRule::read(&conf, key).unwrap());
        assert_eq!(kerberos.method(), "KERBEROS");
        let offer = SaslOffer {
            method: "KERBEROS".into(),
            mechanism: "GSSAPI".into(),
            protocol: "nn".into(),
            server_id: "localhost".into(),
        };
        let endpoint = Endpoint::new(host, 8020);
        let peer = ([127, 0, 0, 1], 8020).into();
        kerberos.start(&offer, SaslConnection { endpoint: &endpoint, peer, protection: allowed })
    };
    for (bits, allowed, expected, encrypt) in [
        (1, &Protection::ALL[..], [1, 0, 0, 0], None),
        (3, &Protection::ALL, [2, 1, 0, 0], Some(false)),
        (7, &Protection::ALL, [4, 1, 0, 0], Some(true)),
        (7, &[Protection::Integrity], [2, 1, 0, 0], Some(false)),
    ] {
        let mut client = start("nn/_HOST@HEDDLE.TEST", "LOCALHOST", allowed).unwrap().unwrap();
        let mut server = files.acceptor();
        let layer = dialogue(&mut *client, &mut server, bits, expected).unwrap();
        assert_eq!(layer.is_some(), encrypt.is_some());
        let (Some(SecurityLayer { mut wrap, mut unwrap }), Some(encrypt)) = (layer, encrypt) else {
            continue;
        };
        for _ in 0..3 {
            let there = wrap.wrap(b"there").unwrap();
            assert_eq!(server.unwrap(&there, encrypt).unwrap(), b"there");
            let back = server.wrap(b"back", encrypt).unwrap();
            assert_eq!(unwrap.unwrap(&back).unwrap(), b"back");
        }
        assert!(wrap.max_plain() > 65_000 && wrap.max_plain() < 65_536);
    }
    let mut client = start(SERVER, "localhost", &[Protection::Privacy]).unwrap().unwrap();
    let weaker = dialogue(&mut *client, &mut files.acceptor(), 3, [0; 4]).err().unwrap();
    assert!(matches!(weaker, SaslError::Protection { .. }), "{weaker}");
    // The rule decides before the KDC is asked for a ticket of the server.
    let refused = ErrorKind::from(start("nn/other@HEDDLE.TEST", "localhost", &[]).err().unwrap());
    println!("{refused}");
    assert!(refused.to_string().starts_with("authentication with Kerberos failed: checking the server's"));
    assert!(matches!(refused, ErrorKind::Kerberos { problem: KerberosProblem::WrongServer, .. }));
    // An address has the name that krb5.conf lets the library look up.
    let names = start("nn/_HOST@HEDDLE.TEST", "127.0.0.1", &[]).err().map(|e| e.to_string());
    println!("{names:?}");
}

/// A login has the tickets of one principal, whoever runs kinit later.
fn login(files: &Files) {
    assert_eq!(library().default_realm(), Ok(REALM.to_owned()));
    let key = "dfs.namenode.kerberos.principal";
    let conf = HadoopConf::from_map([(key, SERVER)]);
    let cache = files.path("login.cache").display().to_string();
    kdc::kinit(&files.0, &["-c", &cache], "alice");
    let login = TicketLogin::new(files.cache("login.cache"), "alice@HEDDLE.TEST".to_owned());
    assert_eq!(login.principal(), "alice@HEDDLE.TEST");
    let mechanism = login.mechanism(&conf, key).unwrap();
    let offer = SaslOffer {
        method: "KERBEROS".into(),
        mechanism: "GSSAPI".into(),
        protocol: "nn".into(),
        server_id: "localhost".into(),
    };
    let (endpoint, peer) = (Endpoint::new("localhost", 8020), ([127, 0, 0, 1], 8020).into());
    let protection = &Protection::ALL;
    let start = || mechanism.start(&offer, SaslConnection { endpoint: &endpoint, peer, protection });
    let mut client = start().unwrap().unwrap();
    assert!(dialogue(&mut *client, &mut files.acceptor(), 7, [4, 1, 0, 0]).unwrap().is_some());
    kdc::kinit(&files.0, &["-c", &cache], "bob");
    let refused = start().err().unwrap();
    assert!(
        matches!(&refused, SaslError::Kerberos { problem: KerberosProblem::NoCredentials, why } if why.ends_with(
            "the tickets are bob@HEDDLE.TEST's, but this program has logged in as alice@HEDDLE.TEST"
        )),
        "{refused}"
    );
}

/// The server's side of RFC 4752. `bits` are the protections that it offers.
fn dialogue(
    client: &mut dyn Mechanism,
    server: &mut Acceptor,
    bits: u8,
    expected: [u8; 4],
) -> Result<Option<SecurityLayer>, SaslError> {
    let first = client.step(None)?;
    let answer = server.step(&first);
    assert_eq!(client.step(Some(&answer))?, b"");
    let offer = server.wrap(&[bits, 1, 0, 0], false).unwrap();
    let chosen = client.step(Some(&offer))?;
    assert_eq!(server.unwrap(&chosen, false).unwrap(), expected);
    client.finish(None)
}

fn kdc_is_dead(files: &Files) {
    let (kind, words) = problem(files.keytab("alice.keytab", "alice").and_then(|s| s.acquire()));
    println!("{words}");
    assert_eq!(kind, KerberosProblem::KdcUnreachable, "{words}");
    // A ticket of the user is there, but none of the server.
    let credentials = files.cache("ready.cache").acquire().unwrap();
    let (kind, words) = problem(Context::initiate(&credentials, SERVER).unwrap().step(None));
    println!("{words}");
    assert_eq!(kind, KerberosProblem::KdcUnreachable, "{words}");
}
