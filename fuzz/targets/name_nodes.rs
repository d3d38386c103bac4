//! Where a file system is: any URL with any configuration of NameNodes is understood or refused.
#![no_main]

use hadoop_fs::Storage;
use hadoop_rpc::{HadoopConf, Login, UserIdentity};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use yarn_api::{RmService, resource_managers};

/// Keys, chosen by the first byte of a line.
const KEYS: [&str; 14] = [
    "fs.defaultFS",
    "dfs.nameservices",
    "dfs.ha.namenodes.ns",
    "dfs.namenode.rpc-address.ns.a",
    "dfs.namenode.rpc-address.ns.b",
    "dfs.namenode.rpc-address",
    "dfs.replication",
    "dfs.blocksize",
    "fs.permissions.umask-mode",
    "hadoop.rpc.protection",
    "yarn.resourcemanager.ha.enabled",
    "yarn.resourcemanager.ha.rm-ids",
    "yarn.resourcemanager.address",
    "yarn.resourcemanager.hostname",
];

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
}

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let url = lines.next().unwrap_or_default();
    let pairs = lines.filter_map(|line| {
        let mut chars = line.chars();
        let key = KEYS.get(chars.next()? as usize % 16)?;
        Some((*key, chars.as_str()))
    });
    let conf = HadoopConf::from_map(pairs);
    let login = Login::simple(UserIdentity::new("ann"));
    RUNTIME.with(|runtime| {
        let _entered = runtime.enter();
        for url in [Some(url), None] {
            if let Ok(storage) = Storage::open(&conf, &login, url) {
                let _ = (storage.root().len(), storage.path(text), storage.url(text));
            }
        }
    });
    let _ = (resource_managers(&conf, RmService::Client), resource_managers(&conf, RmService::Scheduler));
});
