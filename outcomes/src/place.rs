//! Where the files are.

/// The directory of all records, beside the stores in `.heddle`.
pub const OUTCOMES: &str = "outcomes";

/// The same below the user's home directory.
pub const PLACE: &str = ".heddle/outcomes";

/// The file with the [`Record`](crate::Record), in the directory of the application.
pub const RECORD_FILE: &str = "outcome.json";

/// The file with one [`Entry`](crate::Entry) on each line, in the directory of the application.
pub const CONTAINERS_FILE: &str = "containers.jsonl";

/// The directory of one application. `home` is the user's home directory on the file system of the staging
/// directory, and may end in a slash.
pub fn directory(home: &str, application: &str) -> String {
    format!("{}/{PLACE}/{application}", home.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_home_directory() {
        assert!(PLACE.ends_with(&format!("/{OUTCOMES}")));
        for home in ["/user/ann", "/user/ann/"] {
            assert_eq!(
                directory(home, "application_1_0001"),
                "/user/ann/.heddle/outcomes/application_1_0001"
            );
        }
    }
}
