//! Computes the tags of an application in YARN: those of the user, and the one by which a submission is found
//! again. This module does no I/O.

use std::collections::BTreeSet;

use crate::application::SUBMISSION_TAG;
use crate::error::Failure;

/// The highest number of tags that YARN accepts (`YarnConfiguration.APPLICATION_MAX_TAGS`).
const MOST_TAGS: usize = 10;

/// The highest number of characters in a tag (`YarnConfiguration.APPLICATION_MAX_TAG_LENGTH`).
const LONGEST_TAG: usize = 100;

/// The highest number of characters in a submission's name, which follows [`SUBMISSION_TAG`] in a tag.
const LONGEST: usize = 80;

/// Checks the name of a submission. YARN stores tags in lower case, and accepts only ASCII.
fn check_name(name: &str) -> Result<(), Failure> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fine) {
        return Err(Failure::usage(format!("{name:?} cannot name a submission")).hint(format!(
            "a name has up to {LONGEST} characters: small letters, digits, '-', '_' and '.'"
        )));
    }
    Ok(())
}

/// Returns the user's tags (`yarn.tags`) together with the tag of the submission, which holds `name` or else
/// `random_name`. It is a failure if YARN would not accept the tags.
pub(crate) fn tags(users: &str, name: Option<&str>, random_name: &str) -> Result<BTreeSet<String>, Failure> {
    if let Some(name) = name {
        check_name(name)?;
    }
    let users = users.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let mut tags: BTreeSet<String> = users.map(str::to_owned).collect();
    if let Some(tag) = tags.iter().find(|tag| !tag.is_ascii() || tag.len() > LONGEST_TAG) {
        return Err(Failure::configuration(format!("YARN does not take the tag {tag:?} (yarn.tags)"))
            .hint(format!("a tag has up to {LONGEST_TAG} characters, all of them ASCII")));
    }
    // Without a name, the tag only tells that heddle has submitted the application, so the user's own tags
    // are more important.
    if name.is_some() || tags.len() < MOST_TAGS {
        tags.insert(format!("{SUBMISSION_TAG}{}", name.unwrap_or(random_name)));
    }
    if tags.len() > MOST_TAGS {
        let what = format!("the application would have {} tags, and YARN takes {MOST_TAGS}", tags.len());
        return Err(Failure::configuration(what)
            .hint("leave some out of yarn.tags; a named submission needs one of them"));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_for_each_submission() {
        let many = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join(" , ");
        let count = |text: &str, name| tags(text, name, "r").map(|tags| tags.len()).ok();
        assert!(tags(" a,,b", Some("x"), "r").unwrap().iter().eq(["a", "b", "heddle-submission:x"]));
        assert_eq!(
            (count("", None), count(&many(9), None), count(&many(10), None)),
            (Some(1), Some(10), Some(10))
        );
        assert_eq!(
            (count(&many(9), Some("x")), count(&many(10), Some("x")), count(&many(11), None)),
            (Some(10), None, None)
        );
    }

    #[test]
    fn tags_that_yarn_does_not_take() {
        let refused = |text: &str| tags(text, None, "r").map(|_| ()).map_err(|e| e.render(false));
        assert_eq!(refused(&format!("a b,{}", "x".repeat(100))), Ok(()));
        assert!(refused("fine,größe").unwrap_err().contains("does not take the tag \"größe\" (yarn.tags)"));
        assert!(refused(&"x".repeat(101)).unwrap_err().contains("up to 100 characters"));
    }

    #[test]
    fn names() {
        for fine in ["a", "etl-2026.11.21_x"] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "A", "a b", "ä", "a/b", &"x".repeat(81)] {
            assert!(check_name(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}
