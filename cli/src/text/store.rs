//! Shows to people what `heddle store` has published or found.

use yarn_client::shared_store::{Contents, Published, StoredFile};
use yarn_client::units::{bytes, count};

use super::table;

/// What was published: a table, what was left out, and a line that sums it up.
pub(crate) fn published(done: &Published) -> String {
    let rows = done.files.iter().map(|file| {
        let what = if file.uploaded { "uploaded" } else { "was there" };
        vec![file.key.clone(), bytes(file.bytes), what.to_owned()]
    });
    let mut blocks = vec![table::render(&["FILE", "SIZE", ""], &[1], rows)];
    if !done.left_out.is_empty() {
        let list = done.left_out.join("\n  ");
        blocks.push(format!(
            "Left out, because they are no libraries, or not everybody on this machine may read them:\n  {list}"
        ));
    }
    let uploaded = done.files.iter().filter(|file| file.uploaded);
    let size = bytes(uploaded.clone().map(|file| file.bytes).sum());
    blocks.push(format!(
        "{} has {}, of which {} ({size}) were uploaded now.\n\
         Users whose configuration has `heddle.store.dir: {}` use them.",
        done.store,
        count(done.files.len(), "file"),
        uploaded.count(),
        done.store
    ));
    blocks.join("\n\n")
}

/// What a store holds: a table, and a line that sums it up.
pub(crate) fn contents(contents: &Contents, verify: bool) -> String {
    let row = |file: &StoredFile| {
        let state = match (&file.unused, file.intact) {
            (_, Some(false)) => "damaged".to_owned(),
            (Some(why), _) => format!("not used: {why}"),
            (None, Some(true)) => "intact".to_owned(),
            (None, None) => String::new(),
        };
        vec![bytes(file.bytes), file.owner.clone(), file.name.clone(), state]
    };
    let size = bytes(contents.files.iter().map(|file| file.bytes).sum());
    let mut sum = format!("{} has {}, {size}.", contents.store, count(contents.files.len(), "file"));
    if verify && contents.is_intact() {
        sum.push_str(" Each that was read is what its path promises.");
    }
    if contents.files.is_empty() {
        return sum;
    }
    format!(
        "{}\n\n{sum}",
        table::render(&["SIZE", "OWNER", "NAME", "STATE"], &[0], contents.files.iter().map(row))
    )
}

/// The errors for files that are not what their paths promise.
pub(crate) fn damaged(contents: &Contents) -> Vec<String> {
    let damaged = contents.files.iter().filter(|file| file.intact == Some(false));
    let error = |file: &StoredFile| {
        format!(
            "error: {} of {}'s is not what its path promises: its SHA-256 is another one\n\
             hint: delete it with `hdfs dfs -rm`; `heddle store publish` uploads it again",
            file.url, file.owner
        )
    };
    damaged.map(error).collect()
}

#[cfg(test)]
mod tests {
    use yarn_client::shared_store::PublishedFile;

    use super::*;

    #[test]
    fn what_was_published() {
        let file = |key: &str, bytes, uploaded| PublishedFile {
            key: key.into(),
            url: format!("hdfs://nn/s/{key}"),
            bytes,
            uploaded,
        };
        let done = Published {
            store: "hdfs://nn/s".into(),
            files: vec![file("lib/a.jar", 2048, true), file("lib/b.jar", 10, false)],
            left_out: vec!["/f/lib/hive-site.xml".into()],
            warnings: vec![],
        };
        insta::assert_snapshot!(published(&done), @r"
        FILE          SIZE
        lib/a.jar  2.0 KiB  uploaded
        lib/b.jar     10 B  was there

        Left out, because they are no libraries, or not everybody on this machine may read them:
          /f/lib/hive-site.xml

        hdfs://nn/s has 2 files, of which 1 (2.0 KiB) were uploaded now.
        Users whose configuration has `heddle.store.dir: hdfs://nn/s` use them.
        ");
    }

    #[test]
    fn what_a_store_holds() {
        let file = |name: &str, unused: Option<&str>, intact| StoredFile {
            name: name.into(),
            url: format!("hdfs://nn/s/{name}"),
            bytes: 10,
            owner: "ann".into(),
            unused: unused.map(str::to_owned),
            intact,
        };
        let mut found = Contents {
            store: "hdfs://nn/s".into(),
            files: vec![
                file("a.jar", None, Some(true)),
                file("b.jar", Some("/s/b belongs to eve"), Some(true)),
                file("c.jar", None, Some(false)),
            ],
        };
        insta::assert_snapshot!(contents(&found, true), @r"
        SIZE  OWNER  NAME   STATE
        10 B  ann    a.jar  intact
        10 B  ann    b.jar  not used: /s/b belongs to eve
        10 B  ann    c.jar  damaged

        hdfs://nn/s has 3 files, 30 B.
        ");
        assert!(damaged(&found)[0].starts_with("error: hdfs://nn/s/c.jar of ann's is not what"));
        found.files.pop();
        assert!(found.is_intact() && damaged(&found).is_empty());
        assert!(contents(&found, true).ends_with("promises."));
    }
}
