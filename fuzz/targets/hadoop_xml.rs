//! Hadoop's configuration files: any bytes are read or refused, and every value can be asked for.
#![no_main]

use std::cell::RefCell;

use hadoop_rpc::{Defaults, HadoopConf, Lookup};
use libfuzzer_sys::fuzz_target;

thread_local! {
    // In memory where the system has such a place. It may include itself by its name.
    static DIR: RefCell<tempfile::TempDir> = RefCell::new(
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory"),
    );
}

fuzz_target!(|bytes: &[u8]| {
    DIR.with_borrow(|dir| {
        std::fs::write(dir.path().join("core-site.xml"), bytes).expect("a file can be written");
        let home = dir.path().display().to_string();
        let env = |name: &str| (name == "HADOOP_CONF_DIR").then(|| home.clone());
        let Ok(conf) = HadoopConf::load(&env, &Lookup::new(Defaults::common())) else { return };
        let keys: Vec<String> = conf.iter().map(|(key, _, _)| key.to_owned()).collect();
        for key in keys {
            let _ =
                (conf.get(&key), conf.get_i64(&key, 0), conf.get_bytes(&key, 0), conf.get_bool(&key, false));
            let _ = (conf.get_strings(&key), conf.get_socket_addr(&key, 1));
        }
    });
});
