//! The keys of Flink itself, so that heddle can warn of a misspelt one: Flink takes any key, and ignores
//! those that it does not know.
//!
//! `flink_keys.txt` holds the constants of the option classes of Flink 1.20 and 2.3, with the names that they
//! had before.

const KEYS: &str = include_str!("flink_keys.txt");

/// Parts of a key that are shorter than this may differ by a letter or two and still be different words.
const SHORTEST: usize = 4;

/// The key of Flink that `key` was probably meant to be. There is none for a key that Flink knows, and none
/// for a key of the user's own: all parts but one have to be the same, and that one has to be nearly the
/// same.
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

/// By how many letters the keys differ, if they differ in one part and by little. Upper or lower case does
/// not count.
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
        // No key of Flink is taken for another.
        assert!(KEYS.lines().count() > 700 && KEYS.lines().all(|key| misspelt(key).is_none()));
    }
}
