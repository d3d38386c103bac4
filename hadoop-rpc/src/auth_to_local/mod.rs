//! The names that servers have for principals (`hadoop.security.auth_to_local`), by the same rules as
//! Hadoop's class `KerberosName`. Files and applications of a principal belong to the user of that name.

mod rule;

use crate::conf::{ConfError, HadoopConf};
use crate::policy::Authentication;
use rule::Rule;

const RULES: &str = "hadoop.security.auth_to_local";
const MECHANISM: &str = "hadoop.security.auth_to_local.mechanism";

/// The rules that make a user's name of a principal.
#[derive(Debug, Clone)]
pub struct AuthToLocal {
    rules: Vec<Rule>,
    default_realm: String,
    /// Whether names may be whole principals, and are so if no rule counts.
    mit: bool,
}

/// A principal for which the rules give no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hadoop.security.auth_to_local has no name for {principal}: {why}")]
pub struct NoRule {
    principal: String,
    why: String,
}

impl AuthToLocal {
    /// Reads the rules of the configuration. `default_realm` is that of krb5.conf; it is empty if there is
    /// none.
    pub fn read(conf: &HadoopConf, default_realm: &str) -> Result<Self, ConfError> {
        let default = match Authentication::of(conf)? {
            Authentication::Kerberos => "DEFAULT",
            Authentication::Simple => "RULE:[1:$1] RULE:[2:$1]",
        };
        let text = conf.get_or(RULES, default)?;
        let rules = rule::parse(&text).map_err(|why| {
            // The rules stand on many lines, and an error on one.
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            conf.bad_value(RULES, &line, why)
        })?;
        let mechanism = conf.get_or(MECHANISM, "hadoop")?;
        let mit = match mechanism.to_ascii_lowercase().as_str() {
            "hadoop" => false,
            "mit" => true,
            _ => {
                let why = "it is neither `hadoop` nor `mit`".to_owned();
                return Err(conf.bad_value(MECHANISM, &mechanism, why));
            }
        };
        Ok(Self { rules, default_realm: default_realm.to_owned(), mit })
    }

    /// The name that servers with the same rules have for this principal. A name without a realm stands for
    /// itself.
    pub fn short_name(&self, principal: &str) -> Result<String, NoRule> {
        let fail = |why: String| NoRule { principal: principal.to_owned(), why };
        let Some((name, realm)) = principal.split_once('@') else {
            return match principal.split_once('/') {
                Some((service, host)) if !service.is_empty() && !host.is_empty() && !host.contains('/') => {
                    self.apply(&["", service, host]).map_err(fail)
                }
                _ => Ok(principal.to_owned()),
            };
        };
        let components: Vec<&str> = std::iter::once(realm).chain(name.split('/')).collect();
        let malformed = components.len() > 3 || components.iter().any(|part| part.is_empty());
        if malformed || realm.contains(['/', '@']) {
            return Err(fail("it is not a principal".to_owned()));
        }
        self.apply(&components).map_err(fail)
    }

    /// The realm comes first, and is empty if there is none.
    fn apply(&self, components: &[&str]) -> Result<String, String> {
        for rule in &self.rules {
            let Some(name) = rule.apply(components, &self.default_realm)? else { continue };
            if !self.mit && name.contains(['/', '@']) {
                return Err(format!("{} makes `{name}` of it, which is not a user's name", rule.text()));
            }
            return Ok(if rule.is_small() { name.to_lowercase() } else { name });
        }
        if !self.mit {
            return Err("no rule is for it".to_owned());
        }
        let (realm, name) = (components[0], components[1..].join("/"));
        Ok(if realm.is_empty() { name } else { format!("{name}@{realm}") })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REALM: &str = "EXAMPLE.COM";

    fn rules(rules: &str, mechanism: &str) -> Result<AuthToLocal, String> {
        let conf = [("hadoop.security.authentication", "kerberos"), (RULES, rules), (MECHANISM, mechanism)];
        AuthToLocal::read(&HadoopConf::from_map(conf), REALM).map_err(|e| e.to_string())
    }

    fn name(of: &str, with: &str) -> Result<String, String> {
        rules(with, "hadoop").unwrap().short_name(of).map_err(|e| e.to_string())
    }

    /// The rules of Hadoop's `TestKerberosName`.
    const HADOOPS: &str = "RULE:[1:$1@$0](.*@YAHOO\\.COM)s/@.*//\n\
                           RULE:[2:$1](johndoe)s/^.*$/guest/\n\
                           RULE:[2:$1;$2](^.*;admin$)s/;admin$//\n\
                           RULE:[2:$2](root)\n\
                           DEFAULT";

    #[test]
    fn rules_of_hadoops_own_test() {
        for (principal, expected) in [
            ("omalley@EXAMPLE.COM", "omalley"),
            ("hdfs/10.0.0.1@EXAMPLE.COM", "hdfs"),
            ("oom@YAHOO.COM", "oom"),
            ("johndoe/zoo@FOO.COM", "guest"),
            ("joe/admin@FOO.COM", "joe"),
            ("joe/root@FOO.COM", "root"),
        ] {
            for mechanism in ["hadoop", "mit", "MIT"] {
                let rules = rules(HADOOPS, mechanism).unwrap();
                assert_eq!(rules.short_name(principal), Ok(expected.to_owned()), "{principal}");
            }
        }
        for (principal, why) in [
            ("owen/owen/owen@FOO.COM", "it is not a principal"),
            ("owen@foo/bar.com", "it is not a principal"),
            ("owen@foo@bar", "it is not a principal"),
            ("@FOO", "it is not a principal"),
            ("owen/@FOO", "it is not a principal"),
            ("owen@", "it is not a principal"),
            ("foo@ACME.COM", "no rule is for it"),
            ("root/joe@FOO.COM", "no rule is for it"),
        ] {
            let error = name(principal, HADOOPS).unwrap_err();
            assert_eq!(error, format!("hadoop.security.auth_to_local has no name for {principal}: {why}"));
        }
        // With MIT's mechanism a principal without a rule keeps its name.
        let mit = rules(HADOOPS, "mit").unwrap();
        for principal in ["foo@ACME.COM", "root/joe@FOO.COM"] {
            assert_eq!(mit.short_name(principal), Ok(principal.to_owned()));
        }
        assert!(mit.short_name("owen/owen/owen@FOO.COM").is_err());
    }

    #[test]
    fn small_letters() {
        let rules = "RULE:[1:$1]/L\nRULE:[2:$1]/L\nRULE:[2:$1;$2](^.*;admin$)s/;admin$///L\n\
                     RULE:[2:$1;$2](^.*;guest$)s/;guest$//g/L\nDEFAULT";
        for principal in ["Joe@FOO.COM", "Joe/root@FOO.COM", "Joe/admin@FOO.COM", "Joe/guestguest@FOO.COM"] {
            assert_eq!(name(principal, rules), Ok("joe".into()), "{principal}");
        }
        // Each form of the end.
        for rule in [
            "RULE:[2:$1;$2](^.*;admin$)s/;admin$///L",
            "RULE:[2:$1;$2](^.*;admin$)s/;admin$//L",
            "RULE:[2:$1;$2]s/;admin$//g/L",
            "RULE:[2:$1;$2]s/;admin$//gL",
        ] {
            assert_eq!(name("Joe/admin@FOO.COM", rule), Ok("joe".into()), "{rule}");
        }
    }

    #[test]
    fn a_name_must_be_one_of_a_user() {
        let whole = "RULE:[1:$1@$0] RULE:[2:$1]";
        let error = name("joe@FOO", whole).unwrap_err();
        assert!(error.ends_with("joe@FOO: RULE:[1:$1@$0] makes `joe@FOO` of it, which is not a user's name"));
        assert_eq!(rules(whole, "mit").unwrap().short_name("joe@FOO"), Ok("joe@FOO".into()));
        // A name without a realm is one already.
        assert_eq!(name("joe", "DEFAULT"), Ok("joe".into()));
        assert_eq!(name("a/b/c", "DEFAULT"), Ok("a/b/c".into()));
        assert!(name("nn/host", "DEFAULT").is_err());
        assert_eq!(name("nn/host", "RULE:[2:$1]"), Ok("nn".into()));
    }

    #[test]
    fn substitutions_are_javas() {
        for (rule, expected) in [
            ("RULE:[2:$1]s/n/m/", "man-node"),
            ("RULE:[2:$1]s/n/m/g", "mam-mode"),
            ("RULE:[2:$1]s/(n)(a)/$2$1/", "ann-node"),
            ("RULE:[2:$1]s/(n)(a)n/$20/", "a0-node"),
            ("RULE:[2:$1]s/(?<first>n)a/${first}\\$/", "n$n-node"),
            ("RULE:[2:$1]s/x*/_/g", "_n_a_n_-_n_o_d_e_"),
            ("RULE:[2:$1]s/(x)?n/<$1>/", "<>an-node"),
            ("RULE:[2:$1]s/(?i)NAN/x/", "x-node"),
            ("RULE:[2:$1](.*-NODE) RULE:[2:$2]", "host.example.com"),
            ("RULE:[2:$1](nan) RULE:[2:$2](host\\..*)s/\\..*//", "host"),
            ("RULE:[1:$1] RULE:[2:$1.$2.x](.*)s/\\.com//", "nan-node.host.example.x"),
        ] {
            assert_eq!(name("nan-node/host.example.com@R", rule), Ok(expected.to_owned()), "{rule}");
        }
        for (rule, why) in [
            ("RULE:[1:$2]", "RULE:[1:$2]: there is no $2"),
            ("RULE:[1:$1$]", "RULE:[1:$1$]: there is no $"),
            ("RULE:[1:$1]s/j/$1/", "names the group `1`, which there is not"),
            ("RULE:[1:$1]s/j/${a}/", "names the group `a`, which there is not"),
            ("RULE:[1:$1]s/j/\\/", "ends with a backslash"),
        ] {
            let error = name("joe@R", rule).unwrap_err();
            assert!(error.contains(why), "{rule}: {error}");
        }
    }

    #[test]
    fn rules_that_are_none_are_named() {
        for (text, why) in [
            ("DEFAULT RUL", "`RUL` does not begin with a rule"),
            ("RULE:[1:$1](a", "`(a` does not begin with a rule"),
            ("RULE:[1:$1]((a))", "`RULE:[1:$1]((a)`: "),
            ("RULE:[1:$1]s/a/b", "`s/a/b` does not begin with a rule"),
            ("RULE:[:$1]", "`RULE:[:$1]` does not begin with a rule"),
            ("RULE:[1]", "`RULE:[1]` does not begin with a rule"),
            ("RULE:[1:$1](?!a)", "`RULE:[1:$1](?!a)`: "),
            ("DEFAULT\nRULE:[1:$1](a", "= 'DEFAULT RULE:[1:$1](a' ("),
            ("RULE:[1:$1](a(?!b))", "look-around"),
        ] {
            let error = rules(text, "hadoop").unwrap_err();
            assert!(error.starts_with(&format!("Hadoop configuration: {RULES} = ")), "{error}");
            assert!(!error.contains('\n') && error.contains(why), "{text}: {error}");
        }
        let error = rules("DEFAULT", "unix").unwrap_err();
        assert!(error.contains(MECHANISM) && error.contains("neither `hadoop` nor `mit`"), "{error}");
        // Nothing is for anybody.
        assert!(rules("", "hadoop").unwrap().short_name("joe@EXAMPLE.COM").is_err());
        // White space between rules is not needed.
        assert_eq!(name("joe@EXAMPLE.COM", "RULE:[2:$1]DEFAULT/L"), Ok("joe".into()));
    }

    #[test]
    fn without_rules_the_default_realm_counts() {
        let read = |authentication: &str, realm: &str| {
            let conf = HadoopConf::from_map([("hadoop.security.authentication", authentication)]);
            AuthToLocal::read(&conf, realm).unwrap().short_name("joe/host@R").ok()
        };
        assert_eq!(read("kerberos", "R"), Some("joe".into()));
        assert_eq!((read("kerberos", "S"), read("kerberos", "")), (None, None));
        assert_eq!(read("simple", "S"), Some("joe".into()));
    }

    proptest! {
        #[test]
        fn no_rule_makes_it_panic(
            text in "(RULE:\\[[12]:[$0-3a]{0,6}\\](\\([a.*]{0,3}\\))?(s/[a.()]{0,4}/[$0-9a\\\\{}]{0,5}/g?)?/?L?){0,3}",
            principal in "[aé/@]{0,8}",
        ) {
            if let Ok(rules) = rules(&text, "hadoop") {
                let _ = rules.short_name(&principal);
            }
        }
    }
}
