//! Computes what to set: sizes that Flink would accept, tried with the memory model.

use flink_model::config::Configuration;
use flink_model::memory::{Explained, PoolName, Role, Rule as SizeRule};
use flink_model::options::{
    JM_FLINK_SIZE, JM_HEAP_SIZE, JM_METASPACE, JM_OFF_HEAP_SIZE, JM_OVERHEAD_MAX, JM_OVERHEAD_MIN, Opt,
    TM_FLINK_SIZE, TM_METASPACE, TM_OVERHEAD_MAX, TM_OVERHEAD_MIN, TM_TASK_HEAP, TM_TASK_OFF_HEAP,
};
use flink_model::release::Release;
use flink_model::units::MemorySize;

use crate::facts::{Exhausted, Part, Settings};
use crate::finding::Fix;

/// Sizes are proposed in steps of so many bytes.
const STEP: u64 = 64 << 20;
/// How many sizes are tried until a pool has room.
const TRIES: usize = 200;
/// The largest size that is proposed, in bytes: 4 TiB.
const LARGEST: u64 = 4 << 40;

fn role(part: Part) -> Role {
    match part {
        Part::JobManager => Role::JobManager,
        Part::TaskManager => Role::TaskManager,
    }
}

/// A size in whole steps, rounded up.
fn rounded(bytes: u64) -> u64 {
    bytes.min(LARGEST).div_ceil(STEP) * STEP
}

/// A size as it is written in a configuration.
fn written(bytes: u64) -> String {
    format!("{}m", bytes >> 20)
}

/// A configuration that is being changed, and the changes.
struct Plan {
    role: Role,
    release: Release,
    now: Explained,
    configuration: Configuration,
    fixes: Vec<Fix>,
}

impl Plan {
    /// `None` if Flink would refuse the present configuration.
    fn new(settings: &Settings, part: Part) -> Option<Self> {
        let (configuration, release) = (settings.configuration.clone(), settings.release);
        let role = role(part);
        let now = explained(&configuration, release, role)?;
        Some(Self { role, release, now, configuration, fixes: Vec::new() })
    }

    fn set(&mut self, key: &str, bytes: u64, explanation: String) {
        let value = written(bytes);
        self.configuration.set_dynamic(key, value.clone());
        self.fixes.push(Fix { key: key.to_owned(), value, explanation, choice: 1 });
    }

    /// Whether the process size is set, and the other sizes follow from it or have to fit into it.
    fn has_process_size(&self) -> bool {
        !matches!(self.now.process.1, SizeRule::Sum)
    }

    /// Makes room for a pool that has grown by `more` bytes: enlarges the process if its size is set, and
    /// Flink's memory if its size is set and the pool is `inside` it, until no other pool is smaller than
    /// before. Pools that are fractions grow, too, so that this is more than `more`.
    fn make_room(&mut self, more: u64, inside: bool) {
        let flink = match self.role {
            Role::JobManager => &JM_FLINK_SIZE,
            Role::TaskManager => &TM_FLINK_SIZE,
        };
        let process_set = self.has_process_size();
        let flink_set = inside && self.configuration.contains(flink);
        if more == 0 || !(process_set || flink_set) {
            return;
        }
        let (flink_now, process_now) = (self.now.flink.0.bytes(), self.now.process.0.bytes());
        let sizes = |extra: u64| {
            let flink_size = rounded(flink_now.saturating_add(extra));
            let extra = if flink_set { flink_size.saturating_sub(flink_now) } else { extra };
            (flink_size, rounded(process_now.saturating_add(extra)))
        };
        let mut extra = more;
        for _ in 0..TRIES {
            let (flink_size, process_size) = sizes(extra);
            let mut tried = self.configuration.clone();
            if flink_set {
                tried.set_dynamic(flink.key, written(flink_size));
            }
            if process_set {
                tried.set_dynamic(self.role.process_key(), written(process_size));
            }
            let after = explained(&tried, self.release, self.role);
            if after.is_some_and(|after| none_is_smaller(&self.now, &after)) {
                break;
            }
            extra = extra.saturating_add((extra / 16).max(STEP));
        }
        let (flink_size, process_size) = sizes(extra);
        let why = |now| format!("it is {} now; it grows so that no other pool becomes smaller", written(now));
        if flink_set {
            self.set(flink.key, flink_size, why(flink_now));
        }
        if process_set {
            self.set(self.role.process_key(), process_size, why(process_now));
        }
    }

    /// The changes, if Flink accepts them, no pool is smaller than before, and `enough` is true of the sizes
    /// that follow from them.
    fn done(self, enough: impl Fn(&Explained) -> bool) -> Vec<Fix> {
        let after = explained(&self.configuration, self.release, self.role);
        let good = |after: Explained| none_is_smaller(&self.now, &after) && enough(&after);
        if after.is_some_and(good) { self.fixes } else { Vec::new() }
    }
}

/// Whether each pool is at least as large as before.
fn none_is_smaller(before: &Explained, after: &Explained) -> bool {
    before.pools.iter().all(|pool| after.size(pool.name) >= pool.size)
}

fn explained(conf: &Configuration, release: Release, role: Role) -> Option<Explained> {
    match role {
        Role::JobManager => Explained::job_manager(conf, release).ok(),
        Role::TaskManager => Explained::task_manager(conf, release).ok(),
    }
}

/// A container that is large enough for native memory: `used` bytes were used of `allowed`.
pub(crate) fn native(settings: &Settings, part: Part, used: Option<(u64, u64)>) -> Vec<Fix> {
    let Some(mut plan) = Plan::new(settings, part) else { return Vec::new() };
    let process = plan.now.process.0.bytes();
    let overhead = plan.now.size(PoolName::Overhead).bytes();
    // What was used at the time of the kill is less than what would have been used later on.
    let (used, allowed) = used.unwrap_or((process, process));
    let top = used.max(allowed).max(process);
    let wanted = rounded(top.saturating_add(top / 10));
    let more = wanted.saturating_sub(process);
    let (min, max) = match plan.role {
        Role::JobManager => (&JM_OVERHEAD_MIN, &JM_OVERHEAD_MAX),
        Role::TaskManager => (&TM_OVERHEAD_MIN, &TM_OVERHEAD_MAX),
    };
    let target = rounded(overhead.saturating_add(more));
    let most = plan.configuration.require(max).map_or(0, MemorySize::bytes);
    plan.set(
        min.key,
        target,
        format!("JVM overhead, the room for native memory, is {} now", written(overhead)),
    );
    if most < target {
        plan.set(max.key, target, format!("the maximum is {} now", written(most)));
    }
    plan.make_room(target.saturating_sub(overhead), false);
    plan.done(|after| after.size(PoolName::Overhead).bytes() >= target)
}

/// The size of the heap of a process, in bytes.
fn heap_of(explained: &Explained, part: Part) -> u64 {
    let pools: &[PoolName] = match part {
        Part::JobManager => &[PoolName::JvmHeap],
        Part::TaskManager => &[PoolName::FrameworkHeap, PoolName::TaskHeap],
    };
    pools.iter().map(|pool| explained.size(*pool).bytes()).sum()
}

/// A larger pool, by half of its size, for the pool that ran out.
pub(crate) fn pool(settings: &Settings, part: Part, exhausted: Exhausted) -> Vec<Fix> {
    match exhausted {
        Exhausted::Heap => heap(settings, part),
        Exhausted::Metaspace => metaspace(settings, part),
        Exhausted::Direct => direct(settings, part),
        Exhausted::Cgroup | Exhausted::Host | Exhausted::Native => native(settings, part, None),
        // The number of threads is limited by the node and not by memory.
        Exhausted::Threads => Vec::new(),
    }
}

fn heap(settings: &Settings, part: Part) -> Vec<Fix> {
    let Some(mut plan) = Plan::new(settings, part) else { return Vec::new() };
    let now = heap_of(&plan.now, part);
    let wanted = now.saturating_add(now / 2);
    let why = format!("the heap is {} now", written(now));
    let (own, flink) = match part {
        Part::JobManager => (&JM_HEAP_SIZE, &JM_FLINK_SIZE),
        Part::TaskManager => (&TM_TASK_HEAP, &TM_FLINK_SIZE),
    };
    if plan.configuration.contains(own) {
        let pool = match part {
            Part::JobManager => PoolName::JvmHeap,
            Part::TaskManager => PoolName::TaskHeap,
        };
        let before = plan.now.size(pool).bytes();
        let size = rounded(before.saturating_add(now / 2));
        plan.set(own.key, size, why);
        plan.make_room(size.saturating_sub(before), true);
        return plan.done(|after| heap_of(after, part) > now);
    }
    // The heap is what the others leave of a larger size, which is enlarged until the heap is large enough.
    let by_flink = plan.configuration.contains(flink);
    let (key, size) = if by_flink {
        (flink.key, plan.now.flink.0.bytes())
    } else {
        (plan.role.process_key(), plan.now.process.0.bytes())
    };
    let enough = |plan: &Plan, candidate: u64| {
        let mut tried = plan.configuration.clone();
        tried.set_dynamic(key, written(candidate));
        if by_flink && plan.has_process_size() {
            let more = candidate.saturating_sub(size);
            let process = rounded(plan.now.process.0.bytes().saturating_add(more));
            tried.set_dynamic(plan.role.process_key(), written(process));
        }
        explained(&tried, plan.release, plan.role).is_some_and(|after| heap_of(&after, part) >= wanted)
    };
    let mut candidate = rounded(size.saturating_add(now / 2));
    // Each try is larger by an eighth at least, so that there are few of them.
    while candidate < LARGEST && !enough(&plan, candidate) {
        candidate = rounded(candidate.saturating_add((candidate / 8).max(STEP)));
    }
    plan.set(key, candidate, why);
    if by_flink && plan.has_process_size() {
        let before = plan.now.process.0.bytes();
        let process = rounded(before.saturating_add(candidate.saturating_sub(size)));
        let why = format!("it is {} now; it grows by as much", written(before));
        plan.set(plan.role.process_key(), process, why);
    }
    plan.done(|after| heap_of(after, part) >= wanted)
}

fn metaspace(settings: &Settings, part: Part) -> Vec<Fix> {
    let option = match part {
        Part::JobManager => &JM_METASPACE,
        Part::TaskManager => &TM_METASPACE,
    };
    pool_with_key(settings, part, option, PoolName::Metaspace, false)
}

fn direct(settings: &Settings, part: Part) -> Vec<Fix> {
    match part {
        Part::JobManager => pool_with_key(settings, part, &JM_OFF_HEAP_SIZE, PoolName::OffHeap, true),
        Part::TaskManager => pool_with_key(settings, part, &TM_TASK_OFF_HEAP, PoolName::TaskOffHeap, true),
    }
}

/// Enlarges a pool that has a key of its own, by half and by 128 MiB at least. `inside`: it is part of
/// Flink's memory.
fn pool_with_key(
    settings: &Settings,
    part: Part,
    option: &Opt<MemorySize>,
    pool: PoolName,
    inside: bool,
) -> Vec<Fix> {
    let Some(mut plan) = Plan::new(settings, part) else { return Vec::new() };
    let now = plan.now.size(pool).bytes();
    let size = rounded(now.saturating_add((now / 2).max(2 * STEP)));
    plan.set(option.key, size, format!("it is {} now", written(now)));
    plan.make_room(size.saturating_sub(now), inside);
    plan.done(|after| after.size(pool).bytes() >= size)
}

/// Settings of the nodes with which the address space is not limited, or is limited less. `used`: bytes of
/// address space used and allowed; `memory`: the memory of the container in bytes.
pub(crate) fn address_space(used: Option<(u64, u64)>, memory: Option<u64>) -> Vec<Fix> {
    let mut fixes = vec![Fix {
        key: "yarn.nodemanager.vmem-check-enabled".to_owned(),
        value: "false".to_owned(),
        explanation: "in yarn-site.xml of the nodes: ends the check, which says little about a JVM"
            .to_owned(),
        choice: 1,
    }];
    if let (Some((used, _)), Some(memory)) = (used, memory.filter(|memory| *memory > 0)) {
        // In tenths, rounded up, with a tenth of reserve.
        let tenths = used.saturating_mul(11).div_ceil(memory);
        fixes.push(Fix {
            key: "yarn.nodemanager.vmem-pmem-ratio".to_owned(),
            value: format!("{}.{}", tenths / 10, tenths % 10),
            explanation: "in yarn-site.xml of the nodes: allows what was used, and a tenth more".to_owned(),
            choice: 2,
        });
    }
    fixes
}

/// A container of this part that is as large as `memory_mb` at most, if Flink accepts that.
pub(crate) fn smaller(settings: &Settings, part: Part, memory_mb: u64) -> Vec<Fix> {
    let Some(mut plan) = Plan::new(settings, part) else { return Vec::new() };
    let now = plan.now.process.0.bytes();
    let size = (memory_mb << 20) / STEP * STEP;
    if size == 0 || size >= now {
        return Vec::new();
    }
    let key = plan.role.process_key();
    plan.set(key, size, format!("it is {} now, which no node can give", written(now)));
    let accepted = explained(&plan.configuration, plan.release, plan.role).is_some();
    if accepted { plan.fixes } else { Vec::new() }
}
