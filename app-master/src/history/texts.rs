//! Cuts texts, so that a history needs little memory.

use diagnosis::cut;

/// At most so many bytes of a text. Control characters become spaces, but for line ends and tabs: they say
/// nothing to people, and each takes six bytes in JSON.
pub(super) fn short(text: &str, bytes: usize) -> String {
    let clean = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c };
    let mut short: String = cut(text, bytes).chars().map(clean).collect();
    short.shrink_to_fit();
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_characters_without_control_characters() {
        assert_eq!(short("\u{1b}[31mä\tb\nc", 100), " [31mä\tb\nc");
        assert_eq!(short("aää", 4), "aä");
        assert_eq!(short("", 4), "");
    }
}
