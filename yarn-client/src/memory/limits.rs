//! Computes what YARN grants for a request. The numbers come from the ResourceManager's answers if there are
//! any, and otherwise from the Hadoop configuration.

use flink_model::cluster_spec::YarnLimits;
use hadoop_rpc::HadoopConf;
use serde::Serialize;
use yarn_api::records::{NodeReport, Resource};

/// The kind of scheduler, on which the rounding of requests depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// The CapacityScheduler rounds to multiples of the smallest container.
    Capacity,
    /// The FairScheduler rounds to multiples of an increment of its own.
    Fair,
    /// The FIFO scheduler rounds as the CapacityScheduler, and counts only memory.
    Fifo,
}

/// A number, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The number.
    pub value: u64,
    /// The configuration key; `None` if the ResourceManager has told the number.
    pub key: Option<&'static str>,
    /// Where the key is set, or `default`, or `ResourceManager`.
    pub origin: String,
}

/// YARN's limits for containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLimits {
    /// Whether the ResourceManager has answered.
    pub from_cluster: bool,
    /// The kind of scheduler, according to `yarn.resourcemanager.scheduler.class`.
    pub scheduler: Scheduler,
    /// The memory of the smallest container, in MiB.
    pub minimum_mb: Known,
    /// Requests for memory are rounded up to multiples of this, in MiB.
    pub step_mb: Known,
    /// The memory of the largest container, in MiB.
    pub maximum_mb: Known,
    /// The most vcores of a container.
    pub maximum_vcores: Known,
    /// Requests for vcores are rounded up to multiples of this.
    pub step_vcores: u64,
    /// The fewest vcores of a container.
    pub minimum_vcores: u64,
    /// Whether the scheduler counts vcores; one that does not gives each container 1. `None` if that is not
    /// known.
    pub counts_vcores: Option<bool>,
    /// The running nodes; empty if they are not known.
    pub nodes: Vec<Node>,
}

/// What a node offers to containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// The memory in MiB.
    pub memory_mb: u64,
    /// The number of vcores.
    pub vcores: u32,
}

const SCHEDULER: &str = "yarn.resourcemanager.scheduler.class";
const CALCULATOR: &str = "yarn.scheduler.capacity.resource-calculator";
const MAX_MB: &str = "yarn.scheduler.maximum-allocation-mb";
const MAX_VCORES: &str = "yarn.scheduler.maximum-allocation-vcores";
/// The newest of the keys comes first.
const MIN_MB: [&str; 2] =
    ["yarn.resource-types.memory-mb.minimum-allocation", "yarn.scheduler.minimum-allocation-mb"];
const MIN_VCORES: [&str; 2] =
    ["yarn.resource-types.vcores.minimum-allocation", "yarn.scheduler.minimum-allocation-vcores"];
const FAIR_STEP_MB: [&str; 2] =
    ["yarn.resource-types.memory-mb.increment-allocation", "yarn.scheduler.increment-allocation-mb"];
const FAIR_STEP_VCORES: [&str; 2] =
    ["yarn.resource-types.vcores.increment-allocation", "yarn.scheduler.increment-allocation-vcores"];

impl ContainerLimits {
    /// The limits according to the Hadoop configuration files, with Hadoop's defaults.
    pub fn of_files(conf: &HadoopConf) -> Self {
        let class = conf.get(SCHEDULER).ok().flatten().unwrap_or_default();
        let scheduler = match class.rsplit('.').next() {
            Some(name) if name.contains("FairScheduler") => Scheduler::Fair,
            Some(name) if name.contains("FifoScheduler") => Scheduler::Fifo,
            _ => Scheduler::Capacity,
        };
        let minimum_mb = known(conf, &MIN_MB, 1024);
        let minimum_vcores = known(conf, &MIN_VCORES, 1).value;
        let (step_mb, step_vcores) = match scheduler {
            Scheduler::Fair => (known(conf, &FAIR_STEP_MB, 1024), known(conf, &FAIR_STEP_VCORES, 1).value),
            Scheduler::Capacity | Scheduler::Fifo => (minimum_mb.clone(), minimum_vcores),
        };
        let calculator = conf.get(CALCULATOR).ok().flatten();
        Self {
            from_cluster: false,
            scheduler,
            minimum_mb,
            step_mb,
            maximum_mb: known(conf, &["yarn.resource-types.memory-mb.maximum-allocation", MAX_MB], 8192),
            maximum_vcores: known(conf, &["yarn.resource-types.vcores.maximum-allocation", MAX_VCORES], 4),
            step_vcores,
            minimum_vcores,
            counts_vcores: match scheduler {
                Scheduler::Fair => Some(true),
                Scheduler::Fifo => Some(false),
                Scheduler::Capacity => calculator.map(|class| class.contains("DominantResourceCalculator")),
            },
            nodes: Vec::new(),
        }
    }

    /// The limits according to the files, overridden by what the ResourceManager has answered: the largest
    /// container, and the running nodes.
    pub fn of_cluster(conf: &HadoopConf, largest: &Resource, nodes: &[NodeReport]) -> Self {
        let told = |value| Known { value, key: None, origin: "ResourceManager".to_owned() };
        let mut limits = Self {
            from_cluster: true,
            maximum_mb: told(largest.memory_mb),
            maximum_vcores: told(largest.vcores.into()),
            ..Self::of_files(conf)
        };
        limits.nodes = nodes
            .iter()
            .map(|n| Node { memory_mb: n.capability.memory_mb, vcores: n.capability.vcores })
            .collect();
        limits.nodes.sort();
        // A default that is above the cluster's maximum cannot be the cluster's value.
        let largest = limits.maximum_mb.value;
        for known in [&mut limits.minimum_mb, &mut limits.step_mb] {
            if known.is_default() && known.value > largest {
                known.value = 1;
            }
        }
        limits
    }

    /// The limits in the form in which a deployment checks its sizes.
    pub fn yarn(&self) -> YarnLimits {
        YarnLimits {
            max_memory_mb: self.maximum_mb.value,
            max_vcores: u32::try_from(self.maximum_vcores.value).unwrap_or(u32::MAX),
            min_memory_mb: Some(self.minimum_mb.value),
            // As in YARN, an increment of zero means that nothing is rounded.
            step_memory_mb: Some(self.step_mb.value).filter(|step| *step > 0),
        }
    }

    /// Whether it is known how the cluster rounds requests. A client that does not have the cluster's own
    /// files knows only Hadoop's defaults, which the cluster may have changed.
    pub fn steps_are_known(&self) -> bool {
        !self.minimum_mb.is_default() && (self.scheduler != Scheduler::Fair || !self.step_mb.is_default())
    }

    /// The vcores of a container for which this many are requested; `None` if that is not known.
    pub fn granted_vcores(&self, requested: u64) -> Option<u64> {
        let wanted = requested.max(self.minimum_vcores);
        let rounded = wanted.checked_next_multiple_of(self.step_vcores.max(1)).unwrap_or(wanted);
        let counted = rounded.min(self.maximum_vcores.value.max(requested));
        match self.counts_vcores {
            Some(true) => Some(counted),
            Some(false) => Some(1),
            None => (counted == 1).then_some(1),
        }
    }

    /// How many containers of this size fit on this node when the node is empty.
    pub fn fits(&self, node: &Node, memory_mb: u64, vcores: u64) -> u64 {
        let by_memory = node.memory_mb / memory_mb.max(1);
        match self.counts_vcores {
            Some(true) => by_memory.min(u64::from(node.vcores) / vcores.max(1)),
            _ => by_memory,
        }
    }
}

impl Known {
    fn is_default(&self) -> bool {
        self.origin == "default"
    }

    /// The key with its origin, such as `yarn.scheduler.minimum-allocation-mb, default`.
    pub fn place(&self) -> String {
        self.key.map_or_else(|| self.origin.clone(), |key| format!("{key}, {}", self.origin))
    }
}

/// The value of the first key that is set to a number; otherwise `default`, with the last of the keys.
fn known(conf: &HadoopConf, keys: &[&'static str], default: u64) -> Known {
    let set = keys.iter().find_map(|key| {
        let value = amount(&conf.get(key).ok().flatten()?)?;
        let origin = conf.origin(key).map(ToString::to_string).unwrap_or_default();
        Some(Known { value, key: Some(key), origin })
    });
    let default = || Known { value: default, key: keys.last().copied(), origin: "default".to_owned() };
    set.unwrap_or_else(default)
}

/// Parses an amount, which may have a unit, as YARN's resource types allow. An amount with a unit is
/// converted to MiB.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: u128 = number.parse().ok()?;
    let (factor, divisor): (u128, u128) = match unit.trim() {
        "" | "Mi" => (1, 1),
        "Ki" => (1, 1 << 10),
        "Gi" => (1 << 10, 1),
        "Ti" => (1 << 20, 1),
        "k" => (1_000, 1 << 20),
        "M" => (1_000_000, 1 << 20),
        "G" => (1_000_000_000, 1 << 20),
        "T" => (1_000_000_000_000, 1 << 20),
        _ => return None,
    };
    u64::try_from(number.checked_mul(factor)? / divisor).ok()
}

/// The name of a scheduler, for people.
pub fn scheduler_name(scheduler: Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Capacity => "capacity scheduler",
        Scheduler::Fair => "fair scheduler",
        Scheduler::Fifo => "FIFO scheduler",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIR: (&str, &str) =
        (SCHEDULER, "org.apache.hadoop.yarn.server.resourcemanager.scheduler.fair.FairScheduler");

    fn of(pairs: &[(&str, &str)]) -> ContainerLimits {
        ContainerLimits::of_files(&HadoopConf::from_map(pairs.iter().copied()))
    }

    fn charged(pairs: &[(&str, &str)], mb: u64) -> u64 {
        of(pairs).yarn().charged_memory_mb(mb)
    }

    #[test]
    fn the_capacity_scheduler_rounds_to_its_minimum() {
        assert_eq!(charged(&[], 1600), 2048);
        let increment = ("yarn.scheduler.increment-allocation-mb", "100");
        assert_eq!(charged(&[("yarn.scheduler.minimum-allocation-mb", "512"), increment], 1600), 2048);
        assert_eq!(charged(&[("yarn.scheduler.minimum-allocation-mb", "256")], 1600), 1792);
        let both = [MIN_MB[0], MIN_MB[1]];
        assert_eq!(charged(&[(both[0], "300"), (both[1], "512")], 1), 300);
    }

    #[test]
    fn the_fair_scheduler_has_a_step_of_its_own() {
        let min = ("yarn.scheduler.minimum-allocation-mb", "256");
        assert_eq!(charged(&[FAIR, min], 300), 1024, "the step is 1024 unless set");
        assert_eq!(charged(&[FAIR, min, (FAIR_STEP_MB[1], "128")], 300), 384);
        assert_eq!(charged(&[FAIR, min, (FAIR_STEP_MB[1], "128"), (FAIR_STEP_MB[0], "1 Gi")], 300), 1024);
        assert_eq!(charged(&[FAIR, min, (FAIR_STEP_MB[1], "128")], 100), 256);
        assert_eq!(of(&[FAIR]).counts_vcores, Some(true));
        assert_eq!(of(&[FAIR, (FAIR_STEP_VCORES[0], "2")]).granted_vcores(3), Some(4));
    }

    #[test]
    fn vcores_are_counted_by_the_dominant_resource_calculator_only() {
        let calculator = |name| (CALCULATOR, name);
        let dominant = calculator("org.apache.hadoop.yarn.util.resource.DominantResourceCalculator");
        let default = calculator("org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator");
        assert_eq!(of(&[dominant]).granted_vcores(3), Some(3));
        assert_eq!(of(&[default]).granted_vcores(3), Some(1));
        assert_eq!((of(&[]).granted_vcores(1), of(&[]).granted_vcores(3)), (Some(1), None));
    }

    #[test]
    fn the_clusters_word_counts() {
        let conf = HadoopConf::from_map([("yarn.scheduler.maximum-allocation-mb", "99999")]);
        let limits = ContainerLimits::of_cluster(&conf, &Resource::new(512, 2), &[]);
        assert_eq!((limits.yarn().max_memory_mb, limits.yarn().max_vcores), (512, 2));
        assert_eq!(limits.yarn().charged_memory_mb(300), 300, "a minimum of 1024 cannot be the cluster's");
    }

    #[test]
    fn amounts() {
        for (text, mb) in [("1024", Some(1024)), ("2 Gi", Some(2048)), ("1048576Ki", Some(1024)), ("x", None)]
        {
            assert_eq!(amount(text), mb, "{text}");
        }
    }
}
