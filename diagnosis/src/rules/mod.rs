//! The rules, link by link of the chain that leads to a running job.

mod memory;
mod nodes;
mod program;
mod starting;
mod waiting;

use crate::rule::Rule;

/// The tables of rules.
const TABLES: [&[Rule]; 5] = [waiting::RULES, starting::RULES, memory::RULES, nodes::RULES, program::RULES];

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    TABLES.into_iter().flatten()
}

/// The page of the manual that lists the rules, in Markdown, without the remark on how it was made.
pub fn page() -> String {
    let mut text = String::from(
        "# Why it fails or waits\n\n\
         heddle finds the cause of a failure or of a wait by these rules. The first broken link of the chain comes first: what is broken there explains what does not work behind it.\n\n\
         | Rule | Class | Who can do something | Again? | |\n|---|---|---|---|---|\n",
    );
    let mut rules: Vec<&Rule> = all().collect();
    rules.sort_by_key(|rule| rule.link);
    for Rule { id, class, whose, retry, text: words, .. } in rules {
        let words = shown(words);
        let (class, whose, retry) = (class.text(), whose.text(), retry.text());
        text.push_str(&format!("| `{id}` | {class} | {whose} | {retry} | {words} |\n"));
    }
    text
}

/// The text of a rule without its placeholders, as a cell of a table.
fn shown(words: &str) -> String {
    let words = words.replace("{who}", "…").replace("{said}", "…").replace("{detail}", "…");
    let words = words.replace("{usage}", "").replace("{java}", "").replace("{class}", "");
    let words = words.replace("{queue}", "");
    words.trim().replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rule::Remedy;

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().map(|rule| rule.id).collect();
        assert_eq!(names.len(), all().count());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
        }
    }

    #[test]
    fn texts_are_whole_sentences_with_known_placeholders() {
        for rule in all() {
            let plain = shown(rule.text);
            assert!(!plain.contains('{') && !plain.contains('}'), "{}", rule.id);
            let end = rule.text.trim_end_matches("{java}").trim_end_matches("{class}").trim_end();
            assert!(end.ends_with('.') || end.ends_with('}'), "{}", rule.id);
            if let Remedy::Set(settings) | Remedy::Classes(settings) = rule.remedy {
                for (key, value, why) in settings {
                    assert!(!key.is_empty() && !value.is_empty() && !why.is_empty(), "{}", rule.id);
                }
            }
        }
    }

    #[test]
    fn the_page_has_every_rule() {
        let page = page();
        for rule in all() {
            assert!(page.contains(&format!("\n| `{}` |", rule.id)), "{}", rule.id);
        }
    }
}
