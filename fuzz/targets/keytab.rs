//! Keytabs: any bytes are read or refused, and each principal that was read is found by its name in full.
#![no_main]

use hadoop_gssapi::Keytab;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(keytab) = Keytab::parse(bytes) else { return };
    let principals = keytab.principals();
    assert_eq!(principals.is_empty(), keytab.entries().is_empty());
    for principal in &principals {
        assert_eq!(keytab.find(principal), Ok(*principal));
        let name = principal.rsplit_once('@').map_or(*principal, |(name, _)| name);
        let _ = keytab.find(name);
    }
});
