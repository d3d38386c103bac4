//! Hadoop's configuration files: any bytes are read or refused, and every value can be asked for.
#![no_main]

#[path = "shared/directory.rs"]
mod directory;

use hadoop_rpc::{Defaults, HadoopConf, Lookup};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // It may include itself by its name.
    directory::with_file("core-site.xml", bytes, |directory, _| {
        let home = directory.display().to_string();
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
