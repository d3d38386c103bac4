//! Brings all facts into one form, in which the signs of rules can be looked for: items, sorted by time.

use crate::facts::{
    AppState, Application, ContainerEnd, Exhausted, Facts, Job, Part, Seen, Source, Told, Voice, youngest,
};
use crate::rule::{Shape, Sign, Subject};
use crate::trend;
use crate::usage::MemoryUsage;
use crate::words::{NO_NATIVE_MEMORY, NO_ROOM_FOR_HEAP, OF_NO_NATIVE_MEMORY};

/// One thing that was seen. The order of the fields makes the order of items: by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) at: Option<u64>,
    pub(crate) source: Source,
    pub(crate) subject: Subject,
    pub(crate) shape: Option<Shape>,
    /// Its name for people, such as `TaskManager container_… on node`.
    pub(crate) who: String,
    /// The words in which signs are looked for.
    pub(crate) text: String,
    pub(crate) status: Option<i32>,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) exhausted: Option<Exhausted>,
    /// Bytes used and allowed: of address space if that was the reason, else of memory.
    pub(crate) used: Option<(u64, u64)>,
    /// Bytes of memory that the container may use.
    pub(crate) allowed: Option<u64>,
    /// A sentence with numbers, if facts were compared.
    pub(crate) detail: String,
    /// The largest container that a node can give, in MiB, if a larger one is asked for.
    pub(crate) largest_mb: Option<u64>,
    /// A sentence about how the memory has gone; empty if that is not known.
    pub(crate) trend: String,
}

impl Item {
    pub(crate) fn new(source: Source, at: Option<u64>, subject: Subject, who: impl Into<String>) -> Self {
        Self {
            at,
            source,
            subject,
            shape: None,
            who: who.into(),
            text: String::new(),
            status: None,
            code: None,
            signal: None,
            exhausted: None,
            used: None,
            allowed: None,
            detail: String::new(),
            largest_mb: None,
            trend: String::new(),
        }
    }

    /// Whether it shows the sign.
    pub(crate) fn shows(&self, sign: &Sign) -> bool {
        let among = |value: Option<i32>, list: &[i32]| value.is_some_and(|value| list.contains(&value));
        match sign {
            Sign::About(subject) => self.subject == *subject,
            Sign::Status(list) => among(self.status, list),
            Sign::Code(list) => among(self.code, list),
            Sign::Signal(list) => among(self.signal, list),
            Sign::Exhausted(list) => self.exhausted.is_some_and(|kind| list.contains(&kind)),
            Sign::Words(words) | Sign::Tells(words) => words.iter().all(|word| self.text.contains(word)),
            Sign::Shape(shape) => self.shape == Some(*shape),
            Sign::All(signs) => signs.iter().all(|sign| self.shows(sign)),
            Sign::Any(signs) => signs.iter().any(|sign| self.shows(sign)),
            Sign::Not(sign) => !self.shows(sign),
        }
    }
}

/// The items of all facts but those that are found by comparing facts.
pub(crate) fn of(facts: &Facts) -> Vec<Item> {
    let mut found = Vec::new();
    facts.applications.iter().for_each(|seen| application(seen, &mut found));
    for Seen { source, at, fact } in &facts.attempts {
        found.extend(am_end(*source, *at, &fact.diagnostics, fact.node.as_deref()));
    }
    found.extend(facts.ends.iter().filter_map(end));
    found.extend(facts.jobs.iter().filter_map(job));
    found.extend(facts.told.iter().map(told));
    for Seen { source, at, fact } in &facts.outcomes {
        let mut item = Item::new(*source, *at, Subject::Application, "the application");
        item.text.clone_from(&fact.diagnostics);
        found.push(item);
        own_words(*source, *at, &fact.diagnostics, &mut found);
    }
    for Seen { source, at, fact } in &facts.nodes {
        if fact.ours > 0 && !fact.runs() && !matches!(fact.state.as_str(), "NEW" | "DECOMMISSIONING" | "") {
            let mut item = Item::new(*source, *at, Subject::Node, fact.name.as_str());
            item.shape = Some(Shape::NodeGone);
            item.text.clone_from(&fact.health);
            item.detail = format!(
                "YARN calls the node {} {}; {} of the application {} on it.",
                fact.name,
                fact.state,
                count(fact.ours, "container"),
                if fact.ours == 1 { "was" } else { "were" }
            );
            found.push(item);
        }
    }
    add_trend(facts, &mut found);
    found
}

/// Adds how the memory of the JobManager has gone to what is known of its end.
fn add_trend(facts: &Facts, found: &mut [Item]) {
    let latest = youngest(&facts.job_manager_memory, |a, b| a.cmp(b));
    let Some(sentence) = latest.and_then(|seen| trend::sentence(&seen.fact)) else { return };
    let of_job_manager =
        |item: &&mut Item| item.subject == Subject::Container(Part::JobManager) && item.trend.is_empty();
    found.iter_mut().filter(of_job_manager).for_each(|item| item.trend.clone_from(&sentence));
}

/// A number with its unit: `1 container`, `2 containers`.
pub(crate) fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn application(seen: &Seen<Application>, found: &mut Vec<Item>) {
    let Seen { source, at, fact } = seen;
    let mut item = Item::new(*source, *at, Subject::Application, "the application");
    item.text.clone_from(&fact.diagnostics);
    if fact.state == AppState::Killed {
        item.shape = Some(Shape::Killed);
    }
    found.push(item);
    own_words(*source, fact.ended.or(*at), &fact.diagnostics, found);
}

/// What diagnostics of an application tell of its containers: YARN's words about the ApplicationMaster's, and
/// heddle-am's words about the JobManager and about TaskManagers that were killed for their memory.
fn own_words(source: Source, at: Option<u64>, diagnostics: &str, found: &mut Vec<Item>) {
    found.extend(am_end(source, at, diagnostics, None));
    for line in diagnostics.lines() {
        let killed = ["killed for its memory: ", "killed for their memory, first: "];
        if let Some((_, rest)) = killed.iter().find_map(|words| line.split_once(*words)) {
            let who = rest.split_once(": ").map_or("", |(who, _)| who);
            found.push(told_end(source, at, Part::TaskManager, who, rest));
        } else if let Some((_, rest)) = line.split_once("The JobManager ended: ") {
            found.push(told_end(source, at, Part::JobManager, "", rest));
        }
    }
}

/// The end of a container in the words of `taskrunner::words`.
fn told_end(source: Source, at: Option<u64>, part: Part, who: &str, text: &str) -> Item {
    let who = if who.is_empty() { part.text().to_owned() } else { format!("{} {who}", part.text()) };
    let mut item = Item::new(source, at, Subject::Container(part), who);
    item.status = number_behind(text, "(exit status ");
    item.code = number_behind(text, "exited with code ");
    item.signal = number_behind(text, "ended by signal ");
    item.exhausted = if text.contains("probably by the kernel's out-of-memory killer") {
        Some(Exhausted::Host)
    } else if text.contains("out-of-memory killer") && !text.contains("not for memory") {
        Some(Exhausted::Cgroup)
    } else {
        exhausted_in(text)
    };
    let usage = text.find(" physical memory used").and_then(|_| {
        let amounts = text.rsplit_once("): ").map_or(text, |(_, amounts)| amounts);
        MemoryUsage::find(&format!("Current usage: {amounts}"))
    });
    let bytes = |words| number_behind(text, words).and_then(|mb| u64::try_from(mb).ok()).map(|mb| mb << 20);
    let of_cgroup = || bytes("was reached (").zip(bytes("used at most, of "));
    item.used = usage
        .as_ref()
        .and_then(|usage| if item.status == Some(-103) { usage.virtual_size } else { usage.physical })
        .or_else(of_cgroup);
    item.allowed = usage.and_then(|usage| usage.physical).map(|(_, allowed)| allowed);
    item.shape = item.code.filter(|code| !matches!(code, 0 | 137 | 143)).map(|_| Shape::Crashed);
    item.text = text.to_owned();
    item
}

/// The number that stands behind these words.
fn number_behind(text: &str, words: &str) -> Option<i32> {
    let (_, rest) = text.split_once(words)?;
    let end = rest.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// The end of the ApplicationMaster's container, if diagnostics of an application or an attempt tell it:
/// "AM Container for appattempt_… exited with  exitCode: -104".
fn am_end(source: Source, at: Option<u64>, diagnostics: &str, node: Option<&str>) -> Option<Item> {
    let (_, rest) = diagnostics.split_once("AM Container for ")?;
    let status = number_behind(rest, "exitCode: ")?;
    let end = ContainerEnd {
        part: Part::JobManager,
        status: Some(status),
        diagnostics: diagnostics.to_owned(),
        node: node.map(str::to_owned),
        code: (status > 0).then_some(status),
        ..ContainerEnd::default()
    };
    end_item(source, at, &end)
}

fn end(seen: &Seen<ContainerEnd>) -> Option<Item> {
    end_item(seen.source, seen.at, &seen.fact)
}

/// YARN's exit statuses of containers whose end was wanted, or is the consequence of another end.
const WANTED: [i32; 3] = [0, -105, -107];

fn end_item(source: Source, at: Option<u64>, end: &ContainerEnd) -> Option<Item> {
    if end.status.is_some_and(|status| WANTED.contains(&status)) && end.exhausted.is_none() {
        return None;
    }
    let usage = MemoryUsage::find(&end.diagnostics);
    let physical = usage.as_ref().and_then(|usage| usage.physical);
    let space = usage.as_ref().and_then(|usage| usage.virtual_size);
    let killed = matches!(end.exhausted, Some(Exhausted::Cgroup | Exhausted::Host));
    // The end of a container that was given back is of interest only if YARN or the kernel did it before.
    let yarns_doing = end.status.is_some_and(|status| (-109..=-101).contains(&status)) || killed;
    if end.given_back && !yarns_doing && !end.diagnostics.contains("*lost*") {
        return None;
    }
    let mut who = end.part.text().to_owned();
    if !end.container.is_empty() {
        who.push_str(&format!(" {}", end.container));
    }
    if let Some(node) = end.node.as_deref().filter(|node| !node.is_empty()) {
        who.push_str(&format!(" on {node}"));
    }
    let mut item = Item::new(source, at, Subject::Container(end.part), who);
    let said = end.said.join("\n");
    item.text = if end.diagnostics.is_empty() { said } else { format!("{}\n{said}", end.diagnostics) };
    item.status = end.status;
    item.code = end.code;
    item.signal = end.signal;
    item.exhausted = end.exhausted;
    item.used = match end.status {
        Some(-103) => space,
        _ => physical.or(end.peak.zip(end.allowed)),
    };
    item.allowed = physical.map(|(_, allowed)| allowed).or(end.allowed);
    item.trend = end.memory.as_deref().and_then(trend::sentence).unwrap_or_default();
    item.shape = if end.at_start {
        Some(Shape::AtStart)
    } else {
        let bad = end.code.is_some_and(|code| code != 0 && code != 143 && code != 137);
        (bad || matches!(end.signal, Some(4 | 6 | 7 | 8 | 11))).then_some(Shape::Crashed)
    };
    Some(item)
}

fn job(seen: &Seen<Job>) -> Option<Item> {
    let Seen { source, at, fact } = seen;
    let failed = fact.state == "FAILED";
    if !failed && fact.exception.is_empty() {
        return None;
    }
    let name = if fact.name.is_empty() { &fact.id } else { &fact.name };
    let mut item = Item::new(*source, *at, Subject::Job, format!("job {name}"));
    item.shape = failed.then_some(Shape::JobFailed);
    item.exhausted = exhausted_in(&fact.exception);
    item.text.clone_from(&fact.exception);
    Some(item)
}

fn told(seen: &Seen<Told>) -> Item {
    let Seen { source, at, fact } = seen;
    let (subject, who) = match fact.voice {
        Voice::Main => (Subject::Program, "main()"),
        Voice::JobManager => (Subject::Container(Part::JobManager), "JobManager"),
        Voice::TaskManager => (Subject::Container(Part::TaskManager), "TaskManager"),
        Voice::Client => (Subject::Client, "the client"),
    };
    let who = if fact.place.is_empty() { who.to_owned() } else { format!("{who} ({})", fact.place) };
    let mut item = Item::new(*source, *at, subject, who);
    item.exhausted = exhausted_in(&fact.text);
    item.text.clone_from(&fact.text);
    item
}

/// The words with which HotSpot 8 to 21 says which memory ran out, behind `OutOfMemoryError`.
const OUT_OF_MEMORY: [(&str, Exhausted); 7] = [
    ("Java heap space", Exhausted::Heap),
    ("GC overhead limit exceeded", Exhausted::Heap),
    ("Metaspace", Exhausted::Metaspace),
    ("Compressed class space", Exhausted::Metaspace),
    ("irect buffer memory", Exhausted::Direct),
    ("unable to create native thread", Exhausted::Threads),
    ("unable to create new native thread", Exhausted::Threads),
];

/// The kind of memory that ran out, if a text says so.
fn exhausted_in(text: &str) -> Option<Exhausted> {
    if OF_NO_NATIVE_MEMORY
        .iter()
        .chain([&NO_ROOM_FOR_HEAP, &NO_NATIVE_MEMORY])
        .any(|words| text.contains(words))
    {
        return Some(Exhausted::Native);
    }
    text.lines().find_map(|line| {
        let (_, rest) = line.split_once("OutOfMemoryError: ")?;
        OUT_OF_MEMORY.iter().find(|(words, _)| rest.contains(words)).map(|(_, kind)| *kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_am_containers_end_is_read_from_diagnostics() {
        let text = "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
            appattempt_1_0001_000001 exited with  exitCode: -104\nFailing this attempt.Diagnostics: Container is running beyond";
        let item = am_end(Source::ResourceManager, Some(1), text, Some("n:1")).unwrap();
        assert_eq!((item.status, item.code, item.who.as_str()), (Some(-104), None, "JobManager on n:1"));
        assert_eq!(am_end(Source::ResourceManager, None, "AM Container for x exitCode: ", None), None);
        assert_eq!(am_end(Source::ResourceManager, None, "exitCode: 7", None), None);
    }

    #[test]
    fn wanted_ends_are_no_items() {
        let seen = |end: ContainerEnd| end_item(Source::ApplicationMaster, None, &end);
        for status in [0, -105, -107] {
            assert_eq!(seen(ContainerEnd { status: Some(status), ..ContainerEnd::default() }), None);
        }
        let back =
            |status| ContainerEnd { status: Some(status), given_back: true, ..ContainerEnd::default() };
        assert_eq!(seen(back(-100)), None);
        assert!(seen(back(-104)).is_some());
    }

    #[test]
    fn the_kinds_of_memory() {
        let line = "Caused by: java.lang.OutOfMemoryError: Cannot reserve 1048576 bytes of direct buffer memory (allocated: 1)";
        assert_eq!(exhausted_in(&format!("x\n{line}")), Some(Exhausted::Direct));
        assert_eq!(exhausted_in("-XX:+ExitOnOutOfMemoryError Metaspace"), None);
    }
}
