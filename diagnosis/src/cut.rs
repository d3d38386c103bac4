//! Shortens texts that are quoted to a number of bytes.

/// At most so many bytes of a text, in whole characters.
pub fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole() {
        assert_eq!((cut("aä", 2), cut("aä", 3), cut("aä", 9), cut("", 0)), ("a", "aä", "aä", ""));
    }
}
