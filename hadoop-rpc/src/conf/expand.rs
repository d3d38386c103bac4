//! Replaces `${…}` in values by the rules of Hadoop's class `Configuration`, including those rules that one
//! would not expect, because Hadoop's own programs read the same files.

/// The most replacements in one value, as in Hadoop.
const MAX_SUBST: usize = 20;
/// The longest result in bytes. There is a limit, because values that refer to each other can grow very
/// large.
const MAX_LENGTH: usize = 1 << 20;

/// Where the names in `${…}` get their values.
pub(super) trait Scope {
    /// A property that Java gives: `user.name`.
    fn system(&self, name: &str) -> Option<String>;
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The raw value of another key.
    fn raw(&self, key: &str) -> Option<String>;
}

/// Replaces each `${…}` until none is left. At an unknown name, this ends: its `${…}` and all that follows
/// stay as they are. A value that refers to itself is not changed at all. The error says in words which limit
/// was exceeded.
pub(super) fn expand(value: &str, scope: &dyn Scope) -> Result<String, String> {
    let mut text = value.to_owned();
    for _ in 0..MAX_SUBST {
        let Some((start, end)) = find_variable(&text) else { return Ok(text) };
        let name = &text[start + 2..end];
        let new = match name.strip_prefix("env.").filter(|n| !n.is_empty()) {
            Some(variable) => env(variable, scope),
            None => scope.system(name),
        };
        let Some(new) = new.or_else(|| scope.raw(name)) else { return Ok(text) };
        if new.contains(&text[start..=end]) {
            return Ok(value.to_owned());
        }
        text.replace_range(start..=end, &new);
        if text.len() > MAX_LENGTH {
            return Err(format!("it grows beyond {MAX_LENGTH} bytes when its ${{…}} are replaced"));
        }
    }
    Err(format!("it has more than {MAX_SUBST} ${{…}} in it or in what they stand for"))
}

/// The value of the environment variable `X` for the text `X`. The text `X:-default` has a default for a
/// variable that is unset or empty, and `X-default` has one for a variable that is unset.
fn env(variable: &str, scope: &dyn Scope) -> Option<String> {
    let at = variable.find('-').map(|dash| match variable[..dash].strip_suffix(':') {
        Some(name) => (name, &variable[dash + 1..], true),
        None => (&variable[..dash], &variable[dash + 1..], false),
    });
    match at {
        None => scope.env(variable),
        Some((name, default, empty_too)) => {
            let set = scope.env(name).filter(|v| !(empty_too && v.is_empty()));
            Some(set.unwrap_or_else(|| default.to_owned()))
        }
    }
}

/// The offsets of `$` and `}` of the first innermost `${name}`. A name contains no `}`, `$` or blank.
fn find_variable(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("${") {
        let start = from + found;
        let name = start + 2;
        let stop = text[name..].find(['}', '$', ' '])? + name;
        if text.as_bytes()[stop] == b'}' && stop > name {
            return Some((start, stop));
        }
        from = if text.as_bytes()[stop] == b'$' { stop } else { stop + 1 };
    }
    None
}

/// The names of the environment variables to which a value refers.
pub(super) fn env_names(value: &str) -> impl Iterator<Item = &str> {
    value.match_indices("${env.").map(|(at, prefix)| {
        let name = &value[at + prefix.len()..];
        let name = &name[..name.find(['}', '$', ' ', '-']).unwrap_or(name.len())];
        name.strip_suffix(':').unwrap_or(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Fixed(BTreeMap<String, String>);

    impl Scope for Fixed {
        fn system(&self, name: &str) -> Option<String> {
            (name == "user.name").then(|| "ann".into())
        }
        fn env(&self, name: &str) -> Option<String> {
            self.0.get(&format!("env:{name}")).cloned()
        }
        fn raw(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }
    }

    fn with(pairs: &[(&str, &str)], value: &str) -> Result<String, String> {
        expand(value, &Fixed(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()))
    }

    #[test]
    fn variables() {
        let conf = [("a", "1"), ("b", "${a}2"), ("x.1.y", "deep"), ("env:E", "e"), ("env:N", "")];
        for (value, expect) in [
            ("${b}-${a}", "12-1"),
            ("${x.${a}.y}", "deep"),
            ("/tmp/${user.name}", "/tmp/ann"),
            ("${env.E}${env.N}|", "e|"),
            ("${env.U:-d}${env.N:-d}${env.N-d}${env.U-d}", "ddd"),
            ("${env.U:-}|", "|"),
            ("${env.U:-a-b}", "a-b"),
            // An unknown name stops all that follows.
            ("${nope}${a}", "${nope}${a}"),
            ("${a}${env.U}${a}", "1${env.U}${a}"),
            ("$a ${} ${a b} ${", "$a ${} ${a b} ${"),
            ("${ ${a}", "${ 1"),
            ("$${a}", "$1"),
        ] {
            assert_eq!(with(&conf, value).as_deref(), Ok(expect), "{value}");
        }
    }

    #[test]
    fn loops_end() {
        assert_eq!(with(&[("a", "x${a}")], "${a}").as_deref(), Ok("${a}"));
        let two = [("a", "${b}"), ("b", "${a}")];
        assert!(with(&two, "${a}").is_err());
        let long = "x".repeat(600 << 10);
        assert!(with(&[("a", &long)], "${a}${a}").is_err());
    }

    #[test]
    fn names_of_the_environment() {
        let names: Vec<_> = env_names("${env.A}${env.B:-x}${env.C-y}${env.").collect();
        assert_eq!(names, ["A", "B", "C", ""]);
    }

    proptest! {
        #[test]
        fn any_text(values in prop::collection::btree_map("[ab]", "[ab${}env. :-é]{0,12}", 0..3),
                    text in "[ab${}env. :-é]{0,20}") {
            drop(expand(&text, &Fixed(values)));
        }
    }
}
