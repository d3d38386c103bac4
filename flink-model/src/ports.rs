//! Checks the keys that name ports, with the values that Flink accepts for each.

use crate::config::{Configuration, Opt, Port, PortList, ValueError};
use crate::options;

const SINGLE: [&Opt<Port>; 6] = [
    &options::REST_PORT,
    &options::JM_RPC_PORT,
    &options::JM_RPC_BIND_PORT,
    &options::TM_RPC_BIND_PORT,
    &options::TM_DATA_PORT,
    &options::TM_COLLECT_PORT,
];

const LISTS: [&Opt<PortList>; 11] = [
    &options::REST_BIND_PORT,
    &options::TM_RPC_PORT,
    &options::TM_DATA_BIND_PORT,
    &options::BLOB_PORT,
    &options::METRICS_PORT,
    &options::HIGH_AVAILABILITY_PORT,
    &options::STATE_PROXY_PORTS,
    &options::STATE_SERVER_PORTS,
    &options::APPLICATION_MASTER_PORT,
    &options::CONTROL_PORT,
    &options::METRICS_SERVER_PORT,
];

/// Fails if a value is not a port or a list of ports. Otherwise a process in the cluster would fail because
/// of it, where the reason is harder to find.
pub fn check(configuration: &Configuration) -> Result<(), ValueError> {
    SINGLE.iter().try_for_each(|option| configuration.get(option).map(drop))?;
    LISTS.iter().try_for_each(|option| configuration.get(option).map(drop))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FileFormat;

    fn said(key: &str, value: &str) -> Option<String> {
        let mut conf = Configuration::new(FileFormat::Standard);
        conf.set_dynamic(key, value);
        check(&conf).err().map(|e| e.to_string())
    }

    #[test]
    fn each_key_takes_what_flink_takes() {
        for key in SINGLE.iter().map(|o| o.key) {
            assert_eq!((said(key, "0"), said(key, " 65535 ")), (None, None), "{key}");
            for wrong in ["abc", "70000", "-1", "1-2", "1,2"] {
                let text = said(key, wrong).unwrap_or_default();
                assert!(
                    text.contains(key) && text.contains(wrong) && text.contains("is not a port: "),
                    "{key}={wrong}: {text}"
                );
            }
        }
        for key in LISTS.iter().map(|o| o.key) {
            for fine in ["0", "50100", "50100-50200", " 50100-50200 , 50300"] {
                assert_eq!(said(key, fine), None, "{key}={fine}");
            }
            for wrong in ["abc", "70000", "1-70000", "2-1", "5-5", "1-", "1,,2", "1-2-3"] {
                assert!(said(key, wrong).unwrap_or_default().contains(key), "{key}={wrong}");
            }
        }
        assert!(said("recovery.jobmanager.port", "x").is_some());
    }

    proptest! {
        #[test]
        fn every_range_of_ports_is_one(first in 0u16..65535, more in 1u16..100) {
            let last = first.saturating_add(more);
            prop_assert_eq!(said("rest.bind-port", &format!("{first},{first}-{last}")), None);
        }
    }
}
