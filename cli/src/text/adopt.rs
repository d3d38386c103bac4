//! Shows to people what `heddle adopt` has made.

use yarn_client::adopt::{Adopted, Change, Changed};

/// What a directory stands for, and, if it was there already, what has changed in it.
pub(crate) fn render(adopted: &Adopted) -> String {
    let Adopted { directory, flink_home, release, heddle, commands, dry_run, existed, .. } = adopted;
    let (directory, home) = (directory.display(), flink_home.display());
    let stands = if *dry_run { "would stand" } else { "stands" };
    let mut lines = vec![
        format!("{directory} {stands} for the Flink {release} in {home}."),
        format!("  heddle's: {} (they start {})", commands.join(", "), heddle.display()),
        "  Flink's:  all else, by links".to_owned(),
    ];
    if *existed {
        let changed = adopted.changes.iter().map(|changed| format!("  {}", line(changed, *dry_run)));
        let changed: Vec<String> = changed.collect();
        lines.extend(if changed.is_empty() { vec!["  It is up to date.".to_owned()] } else { changed });
    } else if !dry_run {
        lines.push(format!("Tools get it as FLINK_HOME={directory}; `rm -r {directory}` undoes it."));
    }
    lines.join("\n")
}

fn line(Changed { path, change }: &Changed, dry_run: bool) -> String {
    let path = path.display();
    match (change, dry_run) {
        (Change::Kept, _) => format!("{path} stays as it is: `heddle adopt` has not made it"),
        (Change::Made, false) => format!("{path} is new"),
        (Change::Replaced, false) => format!("{path} was replaced"),
        (Change::Removed, false) => format!("{path} was removed"),
        (Change::Made, true) => format!("{path} would be new"),
        (Change::Replaced, true) => format!("{path} would be replaced"),
        (Change::Removed, true) => format!("{path} would be removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(existed: bool, dry_run: bool, changes: &[(&str, Change)]) -> Adopted {
        Adopted {
            directory: "/opt/flink-heddle".into(),
            flink_home: "/opt/flink".into(),
            release: "1.20.1".into(),
            heddle: "/usr/bin/heddle".into(),
            commands: vec!["bin/flink".into(), "bin/yarn-session.sh".into()],
            dry_run,
            existed,
            changes: changes
                .iter()
                .map(|(path, change)| Changed { path: path.into(), change: *change })
                .collect(),
            notes: vec![],
        }
    }

    #[test]
    fn a_new_directory() {
        insta::assert_snapshot!(render(&adopted(false, false, &[("bin", Change::Made)])), @r"
        /opt/flink-heddle stands for the Flink 1.20.1 in /opt/flink.
          heddle's: bin/flink, bin/yarn-session.sh (they start /usr/bin/heddle)
          Flink's:  all else, by links
        Tools get it as FLINK_HOME=/opt/flink-heddle; `rm -r /opt/flink-heddle` undoes it.
        ");
        let told = render(&adopted(false, true, &[("bin", Change::Made)]));
        assert!(told.starts_with("/opt/flink-heddle would stand for") && !told.contains("rm -r"), "{told}");
    }

    #[test]
    fn a_directory_that_was_there() {
        let changes = [("bin/flink", Change::Replaced), ("conf", Change::Kept), ("opt", Change::Removed)];
        let told = render(&adopted(true, false, &changes));
        let [.., flink, conf, opt] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
        assert_eq!(flink, "  bin/flink was replaced");
        assert_eq!(conf, "  conf stays as it is: `heddle adopt` has not made it");
        assert_eq!(opt, "  opt was removed");
        assert!(render(&adopted(true, true, &changes)).ends_with("  opt would be removed"));
        assert!(render(&adopted(true, false, &[])).ends_with("  It is up to date."));
    }
}
