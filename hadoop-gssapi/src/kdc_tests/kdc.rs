//! A KDC with principals and keytabs, in a directory that is removed at the end.
#![expect(clippy::disallowed_methods, reason = "the test starts the KDC, and asks whether it listens")]

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(super) const REALM: &str = "HEDDLE.TEST";
/// The principals, each with a keytab.
const PRINCIPALS: [&str; 6] = ["nn/localhost", "alice", "bob", "old", "gone", "brief"];

pub(super) struct Kdc {
    directory: tempfile::TempDir,
    child: Child,
}

impl Drop for Kdc {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Kdc {
    /// Starts one, or says which program is missing.
    pub(super) fn start() -> Result<Self, String> {
        let krb5kdc = program("krb5kdc")?;
        let (util, admin) = (program("kdb5_util")?, program("kadmin.local")?);
        program("kinit")?;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for (name, port) in [("krb5.conf", port), ("dead.conf", 1)] {
            fs::write(path.join(name), krb5_conf(port)).unwrap();
        }
        fs::write(path.join("kdc.conf"), kdc_conf(path, port)).unwrap();
        fs::write(path.join("acl"), "").unwrap();
        run(path, &util, &["create", "-s", "-r", REALM, "-P", "a password of a test"], "");
        let mut lines = String::new();
        for name in PRINCIPALS {
            let keytab = path.join(format!("{}.keytab", name.split('/').next().unwrap()));
            lines += &format!("addprinc -randkey {name}\nktadd -norandkey -k {} {name}\n", keytab.display());
        }
        lines += "cpw -randkey old\ndelprinc -force gone\nmodprinc -maxlife \"2 seconds\" brief\n";
        run(path, &admin, &["-r", REALM], &lines);
        let mut command = command(path, &krb5kdc);
        command.arg("-n").arg("-P").arg(path.join("pid"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let kdc = Self { directory, child };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                kinit(kdc.path(), &["-c", &kdc.path().join("ready.cache").display().to_string()], "alice");
                return Ok(kdc);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the KDC does not listen");
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Gets a ticket with the keytab of this user.
pub(super) fn kinit(directory: &Path, options: &[&str], user: &str) {
    let keytab = directory.join(format!("{user}.keytab")).display().to_string();
    let options = [options, &["-k", "-t", &keytab, user]].concat();
    run(directory, &program("kinit").unwrap(), &options, "");
}

fn krb5_conf(port: u16) -> String {
    format!(
        "[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
         udp_preference_limit = 1\n[realms]\n{REALM} = {{\n kdc = 127.0.0.1:{port}\n}}\n\
         [domain_realm]\nlocalhost = {REALM}\n"
    )
}

fn kdc_conf(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n{REALM} = {{\n database_name = {directory}/principal\n key_stash_file = {directory}/stash\n \
         acl_file = {directory}/acl\n max_life = 1h\n default_principal_flags = +preauth\n \
         supported_enctypes = aes256-cts-hmac-sha1-96:normal\n}}\n[logging]\nkdc = FILE:{directory}/kdc.log\n"
    )
}

fn program(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let directories = path.split(':').chain(["/usr/sbin", "/sbin"]);
    let mut found = directories.map(|directory| Path::new(directory).join(name));
    found.find(|file| file.is_file()).ok_or_else(|| format!("there is no `{name}` to make a KDC with"))
}

fn command(directory: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("KRB5_CONFIG", directory.join("krb5.conf"));
    command.env("KRB5_KDC_PROFILE", directory.join("kdc.conf")).env_remove("KRB5CCNAME");
    command
}

fn run(directory: &Path, program: &Path, arguments: &[&str], told: &str) {
    let mut command = command(directory, program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(told.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {said}", program.display());
}
