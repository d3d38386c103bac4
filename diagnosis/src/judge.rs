//! Applies the rules to the facts.

use std::collections::BTreeSet;

use flink_model::java_fit::complaint;

use crate::classes;
use crate::facts::{ClassJars, Exhausted, Facts, Part};
use crate::finding::{Evidence, Finding, Fix};
use crate::items::{self, Item};
use crate::quote::telling;
use crate::remedy;
use crate::rule::{Class, Confidence, Remedy, Rule, Subject};
use crate::usage::amount;
use crate::{rules, waits};

/// Most pieces of evidence of a finding.
const MOST: usize = 5;
/// Most pieces of evidence that say the same of several containers.
const MOST_ALIKE: usize = 2;
/// A quotation inside a sentence is cut behind so many characters. The evidence has more of it.
const BRIEF: usize = 360;
/// Of how many containers it is told how their memory has gone.
const MOST_TRENDS: usize = 2;

/// Finds the causes of what has failed or waits. The first broken link comes first, and what is only possible
/// comes last. The order of the facts does not matter, and nothing makes this function panic.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    found(facts, false)
}

/// Finds the same, and also consequences of causes that were found.
pub fn judge_all(facts: &Facts) -> Vec<Finding> {
    found(facts, true)
}

fn found(facts: &Facts, with_consequences: bool) -> Vec<Finding> {
    let mut items = items::of(facts);
    items.extend(waits::of(facts));
    items.sort();
    items.dedup();
    let mut found: Vec<(&Rule, Finding)> =
        rules::all().filter_map(|rule| Some((rule, finding(rule, &items, facts)?))).collect();
    let explained = found.iter().any(|(rule, _)| !rule.symptom && rule.confidence != Confidence::Possible);
    found.retain(|(rule, _)| with_consequences || !(rule.symptom && explained));
    // The sort is stable: rules for the same link stay in the order of their table.
    found.sort_by_key(|(rule, _)| (rule.confidence == Confidence::Possible, rule.link));
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// What a rule finds in the items; `None` if it does not apply.
fn finding(rule: &Rule, items: &[Item], facts: &Facts) -> Option<Finding> {
    let shown: Vec<&Item> = items.iter().filter(|item| item.shows(&rule.sign)).collect();
    let first = *shown.first()?;
    let quotes: Vec<String> = shown.iter().map(|item| quote(item, rule)).collect();
    // The quote that says something may stand behind one that does not.
    let telling = shown.iter().zip(&quotes).find(|(_, quote)| !quote.is_empty());
    // A sentence about compared facts is heddle's own, and not too long.
    let said =
        telling.map_or_else(
            String::new,
            |(item, quote)| {
                if item.text.is_empty() { quote.clone() } else { brief(quote) }
            },
        );
    let mut names: Vec<&str> = Vec::new();
    for item in &shown {
        if !names.contains(&item.who.as_str()) {
            names.push(&item.who);
        }
    }
    let more = names.len().saturating_sub(1);
    let who = match more {
        0 => first.who.clone(),
        more => format!("{} and {more} more", first.who),
    };
    // The largest usage decides how much more is needed.
    let worst = shown.iter().max_by(|a, b| a.used.cmp(&b.used)).copied().unwrap_or(first);
    let usage =
        worst.used.map(|(used, allowed)| format!(" ({} used, {} allowed)", amount(used), amount(allowed)));
    let java =
        shown.iter().find_map(|item| complaint(&item.text)).map(|text| format!(". In other words, {text}"));
    let texts: Vec<&str> = shown.iter().map(|item| item.text.as_str()).collect();
    let is_of_classes = rule.text.contains("{class}");
    let holders = if is_of_classes { classes::of(&texts, &facts.classes) } else { Vec::new() };
    let class = if is_of_classes { classes::sentences(&texts, &holders) } else { String::new() };
    let queue = if rule.text.contains("{queue}") { waits::queue(facts) } else { String::new() };
    // The sentence about the queue follows YARN's words, which end with a semicolon.
    let said = if queue.is_empty() { said.as_str() } else { said.trim_end_matches([' ', ';', '.']) };
    let text = fill(
        rule.text,
        &[
            ("who", who.as_str()),
            ("usage", usage.as_deref().unwrap_or_default()),
            ("said", said),
            ("detail", first.detail.as_str()),
            ("java", java.as_deref().unwrap_or_default()),
            ("class", class.as_str()),
            ("queue", queue.as_str()),
        ],
    );
    let mut evidence: Vec<Evidence> = Vec::new();
    for (item, text) in shown.iter().zip(quotes) {
        let text = if text.is_empty() { by_number(item) } else { text };
        let one = Evidence { at: item.at, source: item.source, about: item.who.clone(), text };
        let alike = evidence.iter().filter(|other| other.source == one.source && other.text == one.text);
        let (number, told) =
            alike.fold((0, false), |(n, told), other| (n + 1, told || other.about == one.about));
        if evidence.len() < MOST && !one.text.is_empty() && !told && number < MOST_ALIKE {
            evidence.push(one);
        }
    }
    evidence.extend(trends(rule, &shown));
    Some(Finding {
        rule: rule.id,
        link: rule.link,
        class: rule.class,
        whose: rule.whose,
        retry: rule.retry,
        confidence: rule.confidence,
        text,
        times: times(&shown),
        evidence,
        fix: fix(rule.remedy, worst, &holders, facts),
    })
}

/// To how many containers, jobs or nodes it has happened. An application and its `main()` are one.
fn times(shown: &[&Item]) -> usize {
    let is_one_of_many =
        |item: &&&Item| matches!(item.subject, Subject::Container(_) | Subject::Job | Subject::Node);
    let names: BTreeSet<&str> = shown.iter().filter(is_one_of_many).map(|item| item.who.as_str()).collect();
    names.len().max(1)
}

/// The beginning of a text: whole sentences if there is one that is short enough.
fn brief(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(BRIEF) else { return text.to_owned() };
    let begin = text.get(..end).unwrap_or(text);
    match begin.rfind(". ") {
        Some(at) => begin.get(..=at).unwrap_or(begin).to_owned(),
        None => format!("{begin}…"),
    }
}

/// How the memory of those has gone that a rule about memory is about: of the first two of which that is
/// known.
fn trends(rule: &Rule, shown: &[&Item]) -> Vec<Evidence> {
    let known = shown.iter().filter(|item| rule.class == Class::Memory && !item.trend.is_empty());
    let mut told: Vec<Evidence> = Vec::new();
    for item in known {
        let (about, text) = (item.who.clone(), item.trend.clone());
        if told.len() < MOST_TRENDS && told.iter().all(|one| one.about != about) {
            told.push(Evidence { at: item.at, source: item.source, about, text });
        }
    }
    told
}

/// The line of an item that shows why the rule applies; of compared facts the sentence with the numbers.
fn quote(item: &Item, rule: &Rule) -> String {
    if item.text.is_empty() { item.detail.clone() } else { telling(&item.text, &rule.sign) }
}

/// What is known of an item that says nothing in words.
fn by_number(item: &Item) -> String {
    let parts = [
        item.status.map(|status| format!("exit status {status}")),
        item.code.map(|code| format!("exit code {code}")),
        item.signal.map(|signal| format!("signal {signal}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A text with values in the place of the names in braces. Values are not looked at again.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = behind.split_once('}') else {
            rest = behind;
            break;
        };
        filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    filled.push_str(rest);
    filled.trim_end().trim_end_matches(':').to_owned()
}

/// What to set. `holders`: the jars of the classes that are named.
fn fix(remedy: Remedy, item: &Item, holders: &[&ClassJars], facts: &Facts) -> Vec<Fix> {
    let settings = facts.settings.as_ref();
    let computed = match remedy {
        Remedy::Set(list) => return set(list),
        Remedy::Classes(list) => {
            let fixes = classes::fixes(holders);
            return if fixes.is_empty() { set(list) } else { fixes };
        }
        Remedy::AddressSpace => return remedy::address_space(item.used, item.allowed),
        Remedy::Native(part) => settings.map(|settings| remedy::native(settings, part, item.used)),
        Remedy::Pool(part, exhausted) => settings.map(|settings| remedy::pool(settings, part, exhausted)),
        Remedy::Smaller(part) => {
            settings.zip(item.largest_mb).map(|(settings, mb)| remedy::smaller(settings, part, mb))
        }
    };
    computed.filter(|fixes| !fixes.is_empty()).unwrap_or_else(|| set(&[general(remedy)]))
}

fn set(list: &[(&str, &str, &str)]) -> Vec<Fix> {
    let numbered = list.iter().zip(1u8..);
    numbered
        .map(|((key, value, explanation), choice)| Fix {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            explanation: (*explanation).to_owned(),
            choice,
        })
        .collect()
}

/// The key to change, where the value cannot be computed because the configuration is not known or is
/// unusual.
fn general(remedy: Remedy) -> (&'static str, &'static str, &'static str) {
    const LARGER: &str = "<larger>";
    const WITH_PROCESS: &str = "together with the process size; `heddle memory` shows the sizes";
    match remedy {
        Remedy::Native(Part::JobManager) => ("jobmanager.memory.jvm-overhead.min", LARGER, WITH_PROCESS),
        Remedy::Native(Part::TaskManager) => ("taskmanager.memory.jvm-overhead.min", LARGER, WITH_PROCESS),
        Remedy::Pool(Part::JobManager, Exhausted::Metaspace) => {
            ("jobmanager.memory.jvm-metaspace.size", LARGER, WITH_PROCESS)
        }
        Remedy::Pool(Part::TaskManager, Exhausted::Metaspace) => {
            ("taskmanager.memory.jvm-metaspace.size", LARGER, WITH_PROCESS)
        }
        Remedy::Pool(Part::JobManager, Exhausted::Direct) => {
            ("jobmanager.memory.off-heap.size", LARGER, WITH_PROCESS)
        }
        Remedy::Pool(Part::TaskManager, Exhausted::Direct) => {
            ("taskmanager.memory.task.off-heap.size", LARGER, WITH_PROCESS)
        }
        Remedy::Smaller(Part::JobManager) => {
            ("jobmanager.memory.process.size", "<smaller>", "so that a node can give it")
        }
        Remedy::Smaller(Part::TaskManager) => {
            ("taskmanager.memory.process.size", "<smaller>", "so that a node can give it")
        }
        Remedy::Pool(Part::JobManager, _) => {
            ("jobmanager.memory.process.size", LARGER, "the heap is what the other pools leave of it")
        }
        Remedy::Pool(Part::TaskManager, _) | Remedy::Set(_) | Remedy::Classes(_) | Remedy::AddressSpace => {
            ("taskmanager.memory.process.size", LARGER, "the heap is what the other pools leave of it")
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
