//! Finds out what an application waits for: compares what is asked for with the nodes, their labels and the
//! queue. It makes one item for each container size that waits.

use std::cmp::Ordering;

use crate::facts::{AppState, Facts, Node, OpenAsk, Queue, Seen, Source, youngest};
use crate::items::{Item, count};
use crate::rule::{Shape, Subject};
use crate::words::OF_MISSING_SLOTS;

/// Containers that are asked for and come within this time, in ms, are nothing to speak of.
const PATIENCE: u64 = 10_000;

/// A container that does not come.
struct Wanted<'a> {
    memory_mb: u64,
    vcores: u32,
    label: Option<&'a str>,
    /// What waits, for people.
    what: String,
    subject: Subject,
    source: Source,
    at: Option<u64>,
}

/// The states of an attempt whose ApplicationMaster has its container. The application itself is still
/// ACCEPTED while the container starts.
const WITH_CONTAINER: [&str; 5] = ["ALLOCATED_SAVING", "ALLOCATED", "LAUNCHED", "RUNNING", "FINISHING"];

/// The items of what waits.
pub(crate) fn of(facts: &Facts) -> Vec<Item> {
    let mut found = Vec::new();
    let has_container = youngest(&facts.attempts, Ord::cmp)
        .is_some_and(|seen| WITH_CONTAINER.contains(&seen.fact.state.as_str()));
    if let Some(seen) = youngest(&facts.applications, Ord::cmp)
        && matches!(seen.fact.state, AppState::Submitted | AppState::Accepted)
        && !has_container
        && let Some(memory_mb) = seen.fact.am_memory_mb
    {
        let wanted = Wanted {
            memory_mb,
            vcores: seen.fact.am_vcores.unwrap_or(1),
            label: seen.fact.am_label.as_deref(),
            what: format!("the ApplicationMaster's container of {memory_mb} MB"),
            subject: Subject::Application,
            source: seen.source,
            at: seen.at,
        };
        found.extend(reason(&wanted, facts));
    }
    let starved = lacked_slots(facts);
    for seen in facts.asks.iter().filter(|seen| starved || seen.fact.given_up.is_none()) {
        found.extend(ask(seen, facts));
    }
    found
}

/// Whether a job has failed because it did not get its slots in time. Only then it matters what was asked for
/// and given up.
fn lacked_slots(facts: &Facts) -> bool {
    let jobs = facts.jobs.iter().map(|seen| seen.fact.exception.as_str());
    let told = facts.told.iter().map(|seen| seen.fact.text.as_str());
    let said = facts.outcomes.iter().map(|seen| seen.fact.diagnostics.as_str());
    let of_yarn = facts.applications.iter().map(|seen| seen.fact.diagnostics.as_str());
    let mut texts = jobs.chain(told).chain(said).chain(of_yarn);
    texts.any(|text| OF_MISSING_SLOTS.iter().any(|words| text.contains(words)))
}

fn ask(seen: &Seen<OpenAsk>, facts: &Facts) -> Option<Item> {
    let Seen { source, at, fact } = seen;
    let until = fact.given_up.unwrap_or(facts.now);
    let open_for = fact.since.map(|since| until.saturating_sub(since));
    if fact.count == 0 || fact.refused.is_none() && open_for.is_some_and(|time| time < PATIENCE) {
        return None;
    }
    let how = if fact.given_up.is_some() { "given up after" } else { "open for" };
    let since = open_for.map(|time| format!(", {how} {} s", time / 1000)).unwrap_or_default();
    let what = format!(
        "{} of {} MB and {} asked for{since}",
        count(fact.count, "container"),
        fact.memory_mb,
        count(fact.vcores, "vcore")
    );
    let wanted = Wanted {
        memory_mb: fact.memory_mb,
        vcores: fact.vcores,
        label: fact.label.as_deref(),
        what,
        subject: Subject::Asks,
        source: *source,
        at: fact.since.or(*at),
    };
    if let Some(why) = &fact.refused {
        let mut item = item(&wanted, Shape::Refused, format!("{}: YARN refuses them.", wanted.what));
        item.text.clone_from(why);
        return Some(item);
    }
    let found = reason(&wanted, facts);
    if fact.given_up.is_some() {
        // How much room there was then is not known any more.
        return found
            .filter(|item| matches!(item.shape, Some(Shape::LabelWithoutNodes | Shape::NodesTooSmall)));
    }
    found.or_else(|| Some(item(&wanted, Shape::Open, format!("{}.", wanted.what))))
}

/// Why a container does not come, as far as the facts show it.
fn reason(wanted: &Wanted<'_>, facts: &Facts) -> Option<Item> {
    let make = |shape, why: String| Some(item(wanted, shape, format!("{}; {why}.", wanted.what)));
    let running: Vec<&Node> = facts.nodes.iter().map(|seen| &seen.fact).filter(|node| node.runs()).collect();
    let takes = |node: &&Node| match wanted.subject {
        Subject::Asks => node.takes_worker(wanted.label),
        _ => node.has_label(wanted.label),
    };
    let usable: Vec<&Node> = running.iter().copied().filter(takes).collect();
    if let Some(label) = wanted.label.filter(|label| !label.is_empty() && usable.is_empty())
        && !running.is_empty()
    {
        return make(Shape::LabelWithoutNodes, format!("no node that runs has the label {label}"));
    }
    let enough = |memory_mb: u64, vcores: u32| memory_mb >= wanted.memory_mb && vcores >= wanted.vcores;
    if let Some(largest) = usable.iter().max_by(|a, b| whole(a).cmp(&whole(b)))
        && !usable.iter().any(|node| enough(node.memory_mb, node.vcores))
    {
        let size = format!("{} MB and {}", largest.memory_mb, count(largest.vcores, "vcore"));
        let mut found = item(wanted, Shape::NodesTooSmall, String::new());
        found.detail = format!("{}; the largest node offers {size}.", wanted.what);
        found.largest_mb = Some(largest.memory_mb);
        return Some(found);
    }
    // What a queue may use of the nodes without a label says nothing of those whose label is not exclusive.
    let beside_queue =
        usable.iter().any(|node| !node.has_label(wanted.label) && enough(node.free_mb(), node.free_vcores()));
    if !beside_queue
        && let Some(seen) = youngest(&facts.queues, by_path)
        && let Some(why) = queue_full(&seen.fact, wanted.memory_mb)
    {
        return make(Shape::QueueFull, why);
    }
    if let Some(freest) = usable.iter().max_by(|a, b| free(a).cmp(&free(b)))
        && !usable.iter().any(|node| enough(node.free_mb(), node.free_vcores()))
    {
        let size = format!("{} MB and {}", freest.free_mb(), count(freest.free_vcores(), "vcore"));
        return make(Shape::NodesFull, format!("the largest free node has {size} left"));
    }
    None
}

/// How much a node offers; with its name, so that of two equal nodes always the same one is named.
fn whole(node: &Node) -> (u64, u32, &str) {
    (node.memory_mb, node.vcores, &node.name)
}

/// How much of a node is free.
fn free(node: &Node) -> (u64, u32, &str) {
    (node.free_mb(), node.free_vcores(), &node.name)
}

/// An order of queues in which only equal ones are equal.
fn by_path(a: &Queue, b: &Queue) -> Ordering {
    let shares = |queue: &Queue| {
        [queue.capacity, queue.used, queue.max_capacity, queue.am_share].map(|share| share.map(f32::to_bits))
    };
    let others = |queue: &Queue| (queue.available_mb, queue.waiting, queue.ahead, queue.accepts);
    a.path
        .cmp(&b.path)
        .then_with(|| others(a).cmp(&others(b)))
        .then_with(|| shares(a).cmp(&shares(b)))
        .then_with(|| a.holders.cmp(&b.holders))
}

/// Why the queue has no room for a container of this size; `None` if it has, or if that is not known.
fn queue_full(queue: &Queue, memory_mb: u64) -> Option<String> {
    let path = &queue.path;
    let full = match queue.available_mb {
        Some(available) if available >= memory_mb => return None,
        Some(available) => match share(queue) {
            Some(share) => format!("the queue {path} has {available} MB left and {share}"),
            None => format!("the queue {path} has {available} MB left"),
        },
        None => {
            let (used, capacity, max) = (queue.used?, queue.capacity?, queue.max_capacity?);
            // `used` is a part of the guaranteed capacity.
            let share = used * capacity;
            if share < max * 0.999 {
                return None;
            }
            format!(
                "the queue {path} uses {:.0} % of the cluster, and may use {:.0} %",
                share * 100.0,
                max * 100.0
            )
        }
    };
    Some([Some(full), held(queue), others(queue)].into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// A sentence about the queue in which an application waits, as the continuation of a text; empty if nothing
/// is known of the queue.
pub(crate) fn queue(facts: &Facts) -> String {
    let Some(Seen { fact, .. }) = youngest(&facts.queues, by_path) else { return String::new() };
    let limits = share(fact).map(|share| match fact.am_share {
        // While other queues use what is guaranteed to them, it is less.
        Some(masters) => format!("{share}, its ApplicationMasters at most {} of that", percent(masters)),
        None => share,
    });
    let begin = match limits {
        Some(limits) => format!("The queue {} {limits}", fact.path),
        None => format!("The queue is {}", fact.path),
    };
    let parts = [Some(begin), held(fact), others(fact)].into_iter().flatten();
    format!(". {}.", parts.collect::<Vec<_>>().join("; "))
}

/// How much of the cluster a queue may use.
fn share(queue: &Queue) -> Option<String> {
    let max = percent(queue.max_capacity?);
    Some(match queue.capacity {
        Some(guaranteed) => {
            format!("may use {max} of the cluster ({} are guaranteed)", percent(guaranteed))
        }
        None => format!("may use {max} of the cluster"),
    })
}

/// A part as a number of percent; with one decimal place if it is not a whole number.
fn percent(share: f32) -> String {
    let number = format!("{:.1}", share * 100.0);
    format!("{} %", number.strip_suffix(".0").unwrap_or(&number))
}

/// Who holds most of the queue.
fn held(queue: &Queue) -> Option<String> {
    let holders: Vec<String> =
        queue.holders.iter().take(3).map(|(name, mb)| format!("{name} ({mb} MB)")).collect();
    (!holders.is_empty()).then(|| format!("it is held by {}", holders.join(", ")))
}

/// Which other applications wait in the queue.
fn others(queue: &Queue) -> Option<String> {
    let waiting = queue.waiting.filter(|number| *number > 1)?;
    let ahead = match queue.ahead {
        Some(0) => ", none of them before this one".to_owned(),
        Some(ahead) => format!(", {ahead} of them before this one"),
        None => String::new(),
    };
    Some(format!("{waiting} applications wait in it{ahead}"))
}

fn item(wanted: &Wanted<'_>, shape: Shape, detail: String) -> Item {
    let mut item = Item::new(wanted.source, wanted.at, wanted.subject, wanted.what.as_str());
    item.shape = Some(shape);
    item.detail = detail;
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Application, Attempt, Job};
    use crate::words::NO_SLOT;

    fn seen<T>(fact: T) -> Seen<T> {
        Seen { source: Source::ResourceManager, at: Some(1), fact }
    }

    fn node(name: &str, memory_mb: u64, used_mb: u64) -> Seen<Node> {
        let (name, state) = (name.to_owned(), "RUNNING".to_owned());
        seen(Node { name, state, memory_mb, used_mb, vcores: 8, ..Node::default() })
    }

    fn with_ask(nodes: Vec<Seen<Node>>, queues: Vec<Seen<Queue>>, label: Option<&str>) -> (Shape, String) {
        let label = label.map(str::to_owned);
        let fact =
            OpenAsk { count: 5, memory_mb: 4096, vcores: 1, label, since: Some(0), ..OpenAsk::default() };
        let facts = Facts { now: 300_000, asks: vec![seen(fact)], nodes, queues, ..Facts::default() };
        let item = of(&facts).remove(0);
        (item.shape.unwrap(), item.detail)
    }

    #[test]
    fn the_reason_has_numbers() {
        let asked = "5 containers of 4096 MB and 1 vcore asked for, open for 300 s";
        let full = || vec![node("a:1", 8192, 6000), node("b:1", 8192, 4916)];
        assert_eq!(
            with_ask(full(), Vec::new(), None),
            (Shape::NodesFull, format!("{asked}; the largest free node has 3276 MB and 8 vcores left."))
        );
        assert_eq!(
            with_ask(vec![node("a:1", 2048, 0)], Vec::new(), None),
            (Shape::NodesTooSmall, format!("{asked}; the largest node offers 2048 MB and 8 vcores."))
        );
        assert_eq!(
            with_ask(full(), Vec::new(), Some("gpu")),
            (Shape::LabelWithoutNodes, format!("{asked}; no node that runs has the label gpu."))
        );
        let queue = Queue {
            path: "root.etl".into(),
            available_mb: Some(1024),
            holders: vec![("application_1_0012".into(), 9216)],
            waiting: Some(3),
            ..Queue::default()
        };
        assert_eq!(
            with_ask(vec![node("a:1", 8192, 0)], vec![seen(queue)], None),
            (
                Shape::QueueFull,
                format!(
                    "{asked}; the queue root.etl has 1024 MB left; it is held by application_1_0012 (9216 MB); \
                     3 applications wait in it."
                )
            )
        );
        assert_eq!(with_ask(Vec::new(), Vec::new(), None), (Shape::Open, format!("{asked}.")));
    }

    #[test]
    fn nodes_whose_label_is_not_exclusive() {
        let shared = |used_mb, shared| {
            let mut node = node("c:1", 8192, used_mb);
            node.fact.labels = vec!["gpu".into()];
            node.fact.shared = shared;
            vec![super::tests::node("a:1", 2048, 0), node]
        };
        let small = |(shape, _): (Shape, String)| shape;
        assert_eq!(small(with_ask(shared(0, false), Vec::new(), None)), Shape::NodesTooSmall);
        assert_eq!(small(with_ask(shared(8192, true), Vec::new(), None)), Shape::NodesFull);
        // There is room: the queue's limits are about the other nodes.
        let queue = Queue { path: "root.etl".into(), available_mb: Some(0), ..Queue::default() };
        assert_eq!(small(with_ask(shared(0, true), vec![seen(queue.clone())], None)), Shape::Open);
        assert_eq!(small(with_ask(shared(8192, true), vec![seen(queue)], None)), Shape::QueueFull);
        assert_eq!(small(with_ask(shared(0, true), Vec::new(), Some("gpu"))), Shape::Open);
        // An ApplicationMaster never gets room there.
        let fact =
            Application { state: AppState::Accepted, am_memory_mb: Some(4096), ..Application::default() };
        let facts = Facts { applications: vec![seen(fact)], nodes: shared(0, true), ..Facts::default() };
        assert_eq!(of(&facts)[0].shape, Some(Shape::NodesTooSmall));
    }

    #[test]
    fn what_was_asked_for_a_moment_ago_does_not_wait() {
        let fact = OpenAsk { count: 1, since: Some(299_000), ..OpenAsk::default() };
        let mut facts = Facts { now: 300_000, asks: vec![seen(fact)], ..Facts::default() };
        assert!(of(&facts).is_empty());
        facts.asks[0].fact.refused = Some("no such label".into());
        assert_eq!(of(&facts)[0].shape, Some(Shape::Refused));
    }

    #[test]
    fn what_was_given_up_matters_to_a_job_without_slots() {
        let label = Some("gpu".to_owned());
        let fact =
            OpenAsk { count: 2, memory_mb: 4096, vcores: 1, label, since: Some(0), ..OpenAsk::default() };
        let fact = OpenAsk { given_up: Some(20_000), ..fact };
        let nodes = vec![node("a:1", 8192, 8192)];
        let mut facts = Facts { now: 300_000, asks: vec![seen(fact)], nodes, ..Facts::default() };
        assert!(of(&facts).is_empty(), "somebody may have cancelled the job");
        let exception = format!(
            "org.apache.flink.x.NoResourceAvailableException: {NO_SLOT}! Could not allocate the required slot"
        );
        facts.jobs.push(seen(Job { state: "FAILED".into(), exception, ..Job::default() }));
        let found = of(&facts);
        assert_eq!(found[0].shape, Some(Shape::LabelWithoutNodes));
        assert!(found[0].detail.contains("asked for, given up after 20 s; no node"), "{}", found[0].detail);
        // The nodes are full now; whether they were full then nobody knows.
        facts.asks[0].fact.label = None;
        assert!(of(&facts).is_empty());
        facts.asks[0].fact.memory_mb = 9000;
        assert_eq!(of(&facts)[0].shape, Some(Shape::NodesTooSmall));
        facts.asks[0].fact.given_up = Some(9_000);
        assert!(of(&facts).is_empty(), "a container that comes so soon is nothing to speak of");
    }

    #[test]
    fn an_application_master_that_waits() {
        let fact =
            Application { state: AppState::Accepted, am_memory_mb: Some(4096), ..Application::default() };
        let nodes = vec![node("a:1", 8192, 8192)];
        let facts = Facts { applications: vec![seen(fact)], nodes, ..Facts::default() };
        let item = of(&facts).remove(0);
        assert_eq!((item.shape, item.subject), (Some(Shape::NodesFull), Subject::Application));
        // Once its container is there, it does not wait for room any more: it has taken it itself.
        let attempt = |state: &str| Attempt { number: 1, state: state.into(), ..Attempt::default() };
        for (state, waits) in [("SCHEDULED", true), ("LAUNCHED", false)] {
            let facts = Facts { attempts: vec![seen(attempt(state))], ..facts.clone() };
            assert_eq!(!of(&facts).is_empty(), waits, "{state}");
        }
    }

    #[test]
    fn the_queue_is_told_with_its_limits_its_holders_and_the_place_in_it() {
        let narrow = Queue {
            path: "root.narrow".into(),
            capacity: Some(0.05),
            max_capacity: Some(0.1),
            am_share: Some(0.8),
            available_mb: Some(100),
            holders: vec![("application_1_0003".into(), 1024)],
            waiting: Some(2),
            ahead: Some(1),
            ..Queue::default()
        };
        let facts = Facts { queues: vec![seen(narrow.clone())], ..Facts::default() };
        assert_eq!(
            queue(&facts),
            ". The queue root.narrow may use 10 % of the cluster (5 % are guaranteed), its ApplicationMasters at most 80 % of that; \
             it is held by application_1_0003 (1024 MB); 2 applications wait in it, 1 of them before this one."
        );
        assert_eq!(
            queue_full(&narrow, 1024).as_deref(),
            Some(
                "the queue root.narrow has 100 MB left and may use 10 % of the cluster (5 % are guaranteed); it is held by \
                 application_1_0003 (1024 MB); 2 applications wait in it, 1 of them before this one"
            )
        );
        assert_eq!(queue_full(&narrow, 100), None);
        assert_eq!(queue(&Facts::default()), "");
        let bare = Queue { path: "root.a".into(), waiting: Some(1), ..Queue::default() };
        assert_eq!(queue(&Facts { queues: vec![seen(bare)], ..Facts::default() }), ". The queue is root.a.");
        assert_eq!(percent(0.005), "0.5 %");
    }
}
