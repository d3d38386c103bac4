//! Shows to people what the numbers mean with which processes and containers end.

use diagnosis::exits::{Meaning, Row};

/// The meanings of a number or name, for people.
pub(crate) fn render(asked: &str, meanings: &[Meaning]) -> String {
    if meanings.is_empty() {
        return format!(
            "{asked}: neither YARN nor Java nor Flink gives this number a meaning. As the exit code of a process it is what the \
             program has given to System.exit."
        );
    }
    let several = meanings.len() > 1;
    let text = meanings.iter().map(block).collect::<Vec<_>>().join("\n\n");
    if several { format!("{asked} has several meanings; the likeliest comes first.\n\n{text}") } else { text }
}

fn block(Meaning { row, derived }: &Meaning) -> String {
    let Row { scale, number, name, words, fault, retry, meaning, remedy } = row;
    let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
    let mut text = format!("{number}{name}, {}: {words}\n", scale.text());
    let mut add = |title: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {title:<12} {value}\n"));
        }
    };
    add("seen as", derived.as_deref().unwrap_or_default());
    add("meaning", meaning);
    add("whose doing", fault.text());
    add("again?", retry.text());
    add("what to do", remedy);
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use diagnosis::exits::explain;

    use super::*;

    #[test]
    fn for_people() {
        let of = |asked: &str| render(asked, &explain(asked).unwrap());
        insta::assert_snapshot!(of("-105"), @r"
        -105 (KILLED_BY_APPMASTER), YARN's exit status of a container: stopped by the ApplicationMaster
          meaning      The ApplicationMaster has stopped the container, because Flink needs it no longer.
          whose doing  the ApplicationMaster
          again?       not needed
        ");
        assert!(
            of("1443").contains("\n  seen as      the system keeps 163, the lowest eight bits of 1443\n")
        );
        assert!(of("2").starts_with("2 has several meanings"), "{}", of("2"));
        assert!(of("77").starts_with("77: neither"));
    }
}
