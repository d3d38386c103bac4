//! How much memory a container used, and how much it may use, from the words of the NodeManager that killed
//! it.

/// How much memory a container used, and how much it may use, as the NodeManager that killed it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Physical memory in bytes, used and allowed.
    pub physical: Option<(u64, u64)>,
    /// Address space in bytes, used and allowed.
    pub virtual_size: Option<(u64, u64)>,
    /// The NodeManager's own words, whose numbers are rounded.
    pub words: String,
}

impl MemoryUsage {
    /// Reads the usage from a NodeManager's diagnostics; `None` if they do not contain it.
    pub fn find(diagnostics: &str) -> Option<Self> {
        let (_, rest) = diagnostics.split_once("Current usage: ")?;
        let sentence = rest.split(['\n', '\r']).next().unwrap_or_default();
        let sentence = sentence.split_once(". Killing").map_or(sentence, |(usage, _)| usage);
        let words = sentence.trim().trim_end_matches('.').to_owned();
        let amounts =
            |kind: &str| words.split("; ").find(|part| part.contains(kind)).and_then(used_and_allowed);
        (!words.is_empty()).then(|| Self {
            physical: amounts("physical"),
            virtual_size: amounts("virtual"),
            words: words.clone(),
        })
    }
}

/// The two amounts of a text such as "1.3 GB of 1 GB physical memory used", in bytes.
fn used_and_allowed(text: &str) -> Option<(u64, u64)> {
    let (used, rest) = text.trim().split_once(" of ")?;
    Some((bytes(used)?, bytes(rest)?))
}

/// The amount at the beginning of a text, such as `1.3 GB`, in bytes. YARN's units are powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number: f64 = words.next()?.parse().ok()?;
    let unit = words.next()?.chars().next()?;
    let shift = ["B", "K", "M", "G", "T", "P"].iter().position(|letter| letter.starts_with(unit))?;
    // The conversion is not exact, but YARN has already rounded the number.
    Some((number * (1u64 << (10 * shift)) as f64) as u64)
}

/// An amount of memory for people: `6.2 GB`, `768 MB`.
pub fn amount(bytes: u64) -> String {
    const MB: u64 = 1 << 20;
    const GB: u64 = 1 << 30;
    match bytes {
        0..MB => format!("{} kB", bytes >> 10),
        MB..GB => format!("{} MB", bytes >> 20),
        bytes => {
            let text = format!("{:.1}", bytes as f64 / GB as f64);
            format!("{} GB", text.strip_suffix(".0").unwrap_or(&text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_managers_amounts_are_numbers() {
        let text = "running beyond. Current usage: 1.5 GB of 1 GB physical memory used; 300.5 MB of 2 TB virtual memory used. \
                    Killing container.\nDump";
        let usage = MemoryUsage::find(text).unwrap();
        assert_eq!(usage.physical, Some((3 << 29, 1 << 30)));
        assert_eq!(usage.virtual_size, Some((315_097_088, 2 << 40)));
        assert_eq!(MemoryUsage::find("Container released"), None);
        assert_eq!(MemoryUsage::find("Current usage: unknown").unwrap().physical, None);
    }

    #[test]
    fn amounts_for_people() {
        for (bytes, text) in [
            (0, "0 kB"),
            (1 << 20, "1 MB"),
            (768 << 20, "768 MB"),
            (1 << 30, "1 GB"),
            (6657 << 20, "6.5 GB"),
            (40 << 40, "40960 GB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }
}
