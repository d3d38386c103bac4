//! Compares what JobManager and TaskManagers use of their memory with what was planned for them, and computes
//! what must be larger and what could be smaller. Each proposed size was tried with the memory model.

use flink_model::memory::{Explained, PoolName};
use flink_model::options::{
    JM_METASPACE, JM_PROCESS_SIZE, TM_MANAGED_FRACTION, TM_MANAGED_SIZE, TM_METASPACE, TM_NETWORK_MAX,
    TM_NETWORK_MIN, TM_PROCESS_SIZE,
};
use serde::Serialize;

use crate::facts::{Exhausted, Part, Settings};
use crate::finding::Fix;
use crate::remedy;
use crate::usage::amount;

/// Smaller sizes are proposed in steps of so many bytes.
const STEP: u64 = 64 << 20;
/// What is less than this is not worth a proposal.
const WORTH: u64 = 128 << 20;
/// The least metaspace that is proposed: a TaskManager without jobs needs half of it.
const LEAST_METASPACE: u64 = 128 << 20;

/// What is used of a part of the memory, in bytes. `None` stands for what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// What is used.
    pub used: Option<u64>,
    /// What the JVM has reserved of the system's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<u64>,
    /// The most that may be used.
    pub max: Option<u64>,
}

impl Share {
    /// Whether at least so many hundredths of the most are used. False if that is not known.
    fn is_full(self, hundredths: u64) -> bool {
        let known = self.used.zip(self.max.filter(|max| *max > 0));
        known.is_some_and(|(used, max)| used / 100 >= max / 10_000 * hundredths)
    }
}

/// What a process uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessUse {
    /// What runs in it.
    pub part: Part,
    /// Its container, or the name by which the JobManager knows it.
    pub container: String,
    /// The resident memory now, and the size that was planned for the process.
    pub process: Share,
    /// The most resident memory up to now.
    pub peak: Option<u64>,
    /// The Java heap.
    pub heap: Share,
    /// The memory for classes.
    pub metaspace: Share,
    /// Direct buffers, in which a TaskManager has its network memory, too.
    pub direct: Share,
    /// The managed memory of a TaskManager.
    pub managed: Share,
    /// The network memory of a TaskManager.
    pub network: Share,
}

impl ProcessUse {
    /// One of which nothing is known.
    pub fn new(part: Part, container: impl Into<String>) -> Self {
        let none = Share::default();
        Self {
            part,
            container: container.into(),
            process: none,
            peak: None,
            heap: none,
            metaspace: none,
            direct: none,
            managed: none,
            network: none,
        }
    }
}

/// Whether a size must be changed, or could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// It must be larger.
    MustBeLarger,
    /// It could be smaller.
    CouldBeSmaller,
}

/// A remark about the sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// Whether something must be changed.
    pub urgency: Urgency,
    /// Which process it is about.
    pub part: Part,
    /// The remark, in whole sentences.
    pub text: String,
    /// What to set; empty if the configuration is not known or unusual.
    pub fix: Vec<Fix>,
}

/// All remarks: first what must be larger. `jobs`: how many jobs run. What a cluster without jobs uses says
/// nothing about what could be smaller.
pub fn remarks(uses: &[ProcessUse], settings: Option<&Settings>, jobs: u32) -> Vec<Remark> {
    let mut found = Vec::new();
    for part in [Part::JobManager, Part::TaskManager] {
        let of_part: Vec<&ProcessUse> = uses.iter().filter(|one| one.part == part).collect();
        if of_part.is_empty() {
            continue;
        }
        larger(part, &of_part, settings, &mut found);
        if jobs > 0 {
            smaller(part, &of_part, settings, &mut found);
        }
    }
    found.sort_by_key(|remark| (remark.urgency, remark.part));
    found
}

/// The process that uses most of this.
fn most<'a>(
    uses: &[&'a ProcessUse],
    of: impl Fn(&ProcessUse) -> Option<u64>,
) -> Option<(&'a ProcessUse, u64)> {
    let known = uses.iter().filter_map(|one| Some((*one, of(one)?)));
    known.max_by_key(|(_, used)| *used)
}

fn larger(part: Part, uses: &[&ProcessUse], settings: Option<&Settings>, found: &mut Vec<Remark>) {
    let mut add = |text: String, fix: Vec<Fix>| {
        found.push(Remark { urgency: Urgency::MustBeLarger, part, text, fix });
    };
    let who = |one: &ProcessUse| match one.part {
        Part::JobManager => "the JobManager".to_owned(),
        Part::TaskManager => format!("TaskManager {}", one.container),
    };
    let pool = |kind| settings.map(|settings| remedy::pool(settings, part, kind)).unwrap_or_default();
    if let Some((one, peak)) = most(uses, |one| one.peak.or(one.process.used))
        && let Some(max) = one.process.max
        && (Share { used: Some(peak), committed: None, max: Some(max) }).is_full(95)
    {
        let fix = settings.map(|settings| remedy::native(settings, part, Some((peak, max))));
        let text = format!(
            "The process of {} has used {} of {}. Where YARN or the kernel enforces the limit, it may be killed for it.",
            who(one),
            amount(peak),
            amount(max)
        );
        add(text, fix.unwrap_or_default());
    }
    let full = |share: fn(&ProcessUse) -> Share, hundredths| {
        most(uses, |one| {
            Some(share(one)).filter(|share| share.is_full(hundredths)).and_then(|share| share.used)
        })
        .map(|(one, used)| {
            let max = share(one).max.unwrap_or_default();
            format!("of {} is nearly full: {} of {} are used.", who(one), amount(used), amount(max))
        })
    };
    if let Some(rest) = full(|one| one.heap, 97) {
        add(format!("The heap {rest} A part of it may be garbage."), pool(Exhausted::Heap));
    }
    if let Some(rest) = full(|one| one.metaspace, 90) {
        add(format!("The memory for classes (metaspace) {rest}"), pool(Exhausted::Metaspace));
    }
    if let Some(rest) = full(direct_beside_network, 97) {
        add(format!("The direct memory, beside network memory, {rest}"), pool(Exhausted::Direct));
    }
}

/// The direct memory without the network memory of a TaskManager, which takes all of its share from the start
/// on and is often nearly everything.
fn direct_beside_network(one: &ProcessUse) -> Share {
    let network = one.network.max.unwrap_or_default();
    let rest = |bytes: Option<u64>| bytes.map(|bytes| bytes.saturating_sub(network));
    Share { used: rest(one.direct.used), committed: None, max: rest(one.direct.max) }
}

fn smaller(part: Part, uses: &[&ProcessUse], settings: Option<&Settings>, found: &mut Vec<Remark>) {
    let mut add = |text: String, fix: Vec<Fix>| {
        found.push(Remark { urgency: Urgency::CouldBeSmaller, part, text, fix });
    };
    let name = part.text();
    // The process size: what all processes of the part have used at most.
    let known = uses.iter().all(|one| one.peak.is_some() && one.process.max.is_some());
    if let Some((one, peak)) = most(uses, |one| one.peak).filter(|_| known)
        && let Some(max) = one.process.max
    {
        let enough = rounded(peak.saturating_add(peak / 4));
        if max.saturating_sub(enough) >= WORTH.max(max / 5) {
            let key = match part {
                Part::JobManager => JM_PROCESS_SIZE.key,
                Part::TaskManager => TM_PROCESS_SIZE.key,
            };
            let set = settings.is_some_and(|settings| settings.configuration.entry(key).is_some());
            let why = format!("it is {} now", written(max));
            let fix = if set { tried(settings, part, key, written(enough), &why) } else { Vec::new() };
            let text = format!(
                "A {name} has used {} at most, of {}. If that stays so under the largest load, its container could be \
                 smaller.",
                amount(peak),
                amount(max)
            );
            add(text, fix);
        }
    }
    let metaspace = match part {
        Part::JobManager => &JM_METASPACE,
        Part::TaskManager => &TM_METASPACE,
    };
    if let Some((one, used)) = most(uses, |one| one.metaspace.used)
        && let Some(max) = one.metaspace.max
    {
        let enough = rounded(used.saturating_mul(2)).max(LEAST_METASPACE);
        if max.saturating_sub(enough) >= WORTH {
            let why = format!("it is {} now", written(max));
            let text = format!("A {name} uses {} of {} of metaspace.", amount(used), amount(max));
            add(text, tried(settings, part, metaspace.key, written(enough), &why));
        }
    }
    if part == Part::TaskManager {
        smaller_task_manager(uses, settings, &mut add);
    }
}

/// What only TaskManagers have.
fn smaller_task_manager(
    uses: &[&ProcessUse],
    settings: Option<&Settings>,
    add: &mut impl FnMut(String, Vec<Fix>),
) {
    let part = Part::TaskManager;
    let all_known = uses.iter().all(|one| one.managed.used.is_some());
    if let Some((_, total)) = most(uses, |one| one.managed.max)
        && total >= WORTH
        && all_known
        && uses.iter().all(|one| one.managed.used == Some(0))
    {
        let sized = settings.is_some_and(|settings| settings.configuration.contains(&TM_MANAGED_SIZE));
        let key = if sized { TM_MANAGED_SIZE.key } else { TM_MANAGED_FRACTION.key };
        let why = "what is not managed memory goes to the heap of the tasks";
        let text = format!(
            "No job that runs uses managed memory, and each TaskManager has {} of it. RocksDB, batch jobs and Python \
             use it.",
            amount(total)
        );
        add(text, tried(settings, part, key, "0".to_owned(), why));
    }
    if let Some((one, used)) = most(uses, |one| one.network.used)
        && let Some(max) = one.network.max
    {
        let enough = rounded(used.saturating_mul(2)).max(STEP);
        if max.saturating_sub(enough) >= WORTH {
            let why = format!("network memory is {} now", written(max));
            let least = settings.and_then(|settings| settings.configuration.require(&TM_NETWORK_MIN).ok());
            let enough = enough.max(least.map_or(0, |least| least.bytes()));
            let text = format!("TaskManagers use {} of {} of network memory.", amount(used), amount(max));
            add(text, tried(settings, part, TM_NETWORK_MAX.key, written(enough), &why));
        }
    }
}

/// A size in whole steps, rounded up.
fn rounded(bytes: u64) -> u64 {
    bytes.div_ceil(STEP).saturating_mul(STEP)
}

/// A size as it is written in a configuration.
fn written(bytes: u64) -> String {
    format!("{}m", bytes >> 20)
}

/// This setting, if Flink would accept it and it makes a difference.
fn tried(settings: Option<&Settings>, part: Part, key: &str, value: String, why: &str) -> Vec<Fix> {
    let Some(settings) = settings else { return Vec::new() };
    let sizes = |conf| match part {
        Part::JobManager => Explained::job_manager(conf, settings.release),
        Part::TaskManager => Explained::task_manager(conf, settings.release),
    };
    let mut changed = settings.configuration.clone();
    changed.set_dynamic(key, value.clone());
    let (Ok(before), Ok(after)) = (sizes(&settings.configuration), sizes(&changed)) else {
        return Vec::new();
    };
    let heap = |explained: &Explained| match part {
        Part::JobManager => explained.size(PoolName::JvmHeap),
        Part::TaskManager => explained.size(PoolName::TaskHeap),
    };
    let is_same = before.pools.iter().all(|pool| after.size(pool.name) == pool.size);
    if is_same || heap(&after).bytes() == 0 {
        return Vec::new();
    }
    vec![Fix { key: key.to_owned(), value, explanation: why.to_owned(), choice: 1 }]
}

#[cfg(test)]
#[path = "memory_use_tests.rs"]
mod tests;
