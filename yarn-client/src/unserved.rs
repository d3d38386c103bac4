//! Refuses features of Flink that heddle does not support yet, by their keys and before anything starts. If
//! heddle ignored these settings, the cluster would fail later, or would run without the protection that the
//! user has asked for.

use flink_model::config::Configuration;
use flink_model::options;

use crate::configuration::text;
use crate::error::Failure;

/// Refuses a configuration that asks for Kerberos.
pub(crate) fn check(configuration: &Configuration) -> Result<(), Failure> {
    let find =
        |name: &str| configuration.entry(name).map(|entry| entry.origin.to_string()).unwrap_or_default();
    for option in [&options::KERBEROS_KEYTAB, &options::KERBEROS_PRINCIPAL, &options::KERBEROS_CONTEXTS] {
        if text(configuration, option).is_some() {
            let key = configuration.find(option).map_or(option.key, |(key, _)| key);
            let failure =
                Failure::new(format!("{key} is set ({}): heddle does not serve Kerberos yet", find(key)));
            return Err(failure.hint("leave security.kerberos.login.* out, or use Flink's own client"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Option<String> {
        let mut conf = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        check(&conf).err().map(|failure| failure.render(false))
    }

    #[test]
    fn what_is_refused() {
        for key in [
            "security.kerberos.login.keytab",
            "security.kerberos.login.principal",
            "security.kerberos.login.contexts",
            "security.keytab",
        ] {
            let text = said(&[(key, "x")]).unwrap_or_default();
            assert!(text.contains(&format!("{key} is set")) && text.contains("Kerberos"), "{text}");
        }
    }

    #[test]
    fn what_is_not() {
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[("security.ssl.enabled", "true")]), None);
        // This key is in the configuration file of Flink's distributions, and has no effect without Kerberos.
        assert_eq!(said(&[("security.kerberos.login.use-ticket-cache", "true")]), None);
    }
}
