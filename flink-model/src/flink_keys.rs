//! The keys of Flink itself, so that heddle can warn of a misspelt key. Flink accepts any key, and ignores
//! the keys that it does not know.
//!
//! `flink_keys.txt` holds the keys of the option classes of Flink 1.20 and 2.3, with their older names.

const KEYS: &str = include_str!("flink_keys.txt");

/// The least length of a part of a key (a word between two dots) that may count as misspelt. Shorter words
/// often differ by a letter or two without being misspelt.
const SHORTEST: usize = 4;

/// The key of Flink that `key` was probably meant to be: one that has the same parts except for one, which is
/// nearly the same. It is `None` for a key that Flink knows, and for a key that is not like one of Flink's.
pub fn misspelt(key: &str) -> Option<&'static str> {
    let mut nearest: Option<(usize, &'static str)> = None;
    for known in KEYS.lines() {
        if known == key {
            return None;
        }
        if let Some(slips) = slips(key, known)
            && nearest.is_none_or(|(fewest, _)| slips < fewest)
        {
            nearest = Some((slips, known));
        }
    }
    nearest.map(|(_, known)| known)
}

/// By how many letters two keys differ, if they differ in only one part and by few letters. Upper and lower
/// case do not count.
fn slips(key: &str, known: &str) -> Option<usize> {
    if key.len().abs_diff(known.len()) > 2 {
        return None;
    }
    let (parts, known_parts) = (key.split('.').count(), known.split('.').count());
    if parts != known_parts {
        return None;
    }
    let mut total = None;
    for (part, known) in key.split('.').zip(known.split('.')).filter(|(part, known)| part != known) {
        let (part, known) = (part.to_lowercase(), known.to_lowercase());
        let slips = strsim::osa_distance(&part, &known);
        let few = 1 + usize::from(known.len() >= 2 * SHORTEST);
        if total.is_some() || slips > few || part.len().min(known.len()) < SHORTEST {
            return None;
        }
        total = Some(slips);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_found() {
        for (written, meant) in [
            ("taskmanager.memroy.process.size", "taskmanager.memory.process.size"),
            ("taskmanger.memory.process.size", "taskmanager.memory.process.size"),
            ("taskmanager.numberoftaskslots", "taskmanager.numberOfTaskSlots"),
            ("taskmanager.numberOfTaskSlot", "taskmanager.numberOfTaskSlots"),
            ("execution.checkpointing.intervall", "execution.checkpointing.interval"),
            ("paralelism.default", "parallelism.default"),
            ("restart-strategy.fixed-delay.attempt", "restart-strategy.fixed-delay.attempts"),
        ] {
            assert_eq!(misspelt(written), Some(meant), "{written}");
        }
    }

    #[test]
    fn no_false_alarm() {
        for key in [
            "taskmanager.memory.process.size",
            "state.savepoints.dir",
            "execution.checkpointing.savepoint-dir",
            "pekko.ask.timeout",
            "akka.ask.timeout",
            "my.own.key",
            "taskmanager.memory.my-own-pool",
            "job.parallelism",
            "fancy-configuration-value",
            "s3.access-key",
            "metrics.reporter.prom.port",
            "pipeline.parameters.input",
            "restart-strategy.my-delay.attempts",
        ] {
            assert_eq!(misspelt(key), None, "{key}");
        }
        // No key of Flink counts as a misspelt form of another one.
        assert!(KEYS.lines().count() > 700 && KEYS.lines().all(|key| misspelt(key).is_none()));
    }
}
