//! Reads the directories of jars. Of each one a piece at a time is in memory, however many entries it has:
//! some have tens of thousands.

use std::fs::File;
use std::path::Path;

use diagnosis::facts::{ClassJars, Jar, JarPlace};
use rawzip::{RECOMMENDED_BUFFER_SIZE, ZipArchive};

use super::listed::{Jars, Listed};

/// Most jars that are looked at.
const MOST: u32 = 3_000;

/// Which jars hold these classes. `is_parent_first`: whether the class path comes before the jars of the
/// user's code, of a class; `program_unseen`: whether the program has other jars; `is_late` ends the search,
/// of which there is no result then: what is not known of all jars would mislead. The error says that.
pub(super) fn search(
    jars: &Jars,
    classes: Vec<String>,
    is_parent_first: impl Fn(&str) -> bool,
    program_unseen: bool,
    is_late: impl Fn() -> bool,
) -> Result<Vec<ClassJars>, String> {
    let entries: Vec<String> =
        classes.iter().map(|class| format!("{}.class", class.replace('.', "/"))).collect();
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let mut searched: u32 = 0;
    // The jars that hold each class.
    let mut in_list = |list: &[Listed]| -> Result<Vec<Vec<Jar>>, String> {
        let mut found = vec![Vec::new(); entries.len()];
        for Listed { jar, path } in list {
            if is_late() || searched >= MOST {
                return Err(format!("there was only time for {searched} jars"));
            }
            match held(path, &entries, &mut buffer) {
                Ok(held) => {
                    searched += 1;
                    let holding = found.iter_mut().zip(held).filter(|(_, is_held)| *is_held);
                    holding.for_each(|(jars, _)| jars.push(jar.clone()));
                }
                Err(error) => tracing::debug!(%error, jar = jar.name, "a jar cannot be read"),
            }
        }
        Ok(found)
    };
    let (class_path, user_code) = (in_list(&jars.class_path)?, in_list(&jars.user_code)?);
    let both = class_path.into_iter().zip(user_code);
    let program_in_user_code = jars.program_in_user_code;
    let found = classes.into_iter().zip(both).map(|(class, (class_path, user_code))| {
        let parent_first = is_parent_first(&class);
        let jars = if parent_first {
            [class_path, user_code].concat()
        } else {
            let is_of_user = |jar: &Jar| program_in_user_code && jar.place == JarPlace::Program;
            let (program, others) = class_path.into_iter().partition(is_of_user);
            [program, user_code, others].concat()
        };
        ClassJars { class, jars, searched, program_unseen, parent_first, program_in_user_code }
    });
    Ok(found.collect())
}

/// Which of these entries a jar has.
fn held(path: &Path, entries: &[String], buffer: &mut [u8]) -> Result<Vec<bool>, rawzip::Error> {
    let archive = ZipArchive::from_file(File::open(path)?, buffer)?;
    let mut held = vec![false; entries.len()];
    let mut listed = archive.entries(buffer);
    while let Some(entry) = listed.next_entry()? {
        let name = entry.file_path();
        if let Some(at) = entries.iter().position(|wanted| wanted.as_bytes() == name.as_bytes())
            && let Some(is_held) = held.get_mut(at)
        {
            *is_held = true;
        }
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use diagnosis::facts::JarPlace;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn jar(dir: &Path, name: &str, place: JarPlace, entries: &[String]) -> Listed {
        let path = dir.join(name);
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for entry in entries {
            zip.start_file(entry.as_str(), SimpleFileOptions::default()).unwrap();
            zip.write_all(b"x").unwrap();
        }
        zip.finish().unwrap();
        Listed { jar: Jar { name: name.to_owned(), place }, path }
    }

    fn names(found: &ClassJars) -> Vec<&str> {
        found.jars.iter().map(|jar| jar.name.as_str()).collect()
    }

    #[test]
    fn the_jars_of_a_class() {
        let dir = tempfile::tempdir().unwrap();
        let many: Vec<String> =
            (0..5_000).map(|n| format!("org/example/some/package/Class{n}.class")).collect();
        let of = |name: &str, place, entries: &[&str]| {
            let entries: Vec<String> =
                many.iter().cloned().chain(entries.iter().map(|e| (*e).to_owned())).collect();
            jar(dir.path(), name, place, &entries)
        };
        let broken = dir.path().join("broken.jar");
        std::fs::write(&broken, "no jar").unwrap();
        let missing = Jar { name: "gone.jar".into(), place: JarPlace::Shipped };
        let jars = Jars {
            class_path: vec![
                of("a.jar", JarPlace::Shipped, &["com/x/Bar.class"]),
                Listed { path: broken, jar: missing.clone() },
                Listed { path: dir.path().join("gone.jar"), jar: missing },
                of("b.jar", JarPlace::Flink, &["com/x/Bar.class", "com/x/Bar$Inner.class"]),
            ],
            user_code: vec![of("u.jar", JarPlace::UserCode, &["com/x/Bar.class"])],
            program_in_user_code: false,
        };
        let classes = || ["com.x.Bar", "com.x.Bar$Inner", "com.x.None"].map(str::to_owned).to_vec();
        let found = search(&jars, classes(), |_| true, true, || false).unwrap();
        assert_eq!(names(&found[0]), ["a.jar", "b.jar", "u.jar"]);
        assert_eq!((names(&found[1]), names(&found[2])), (vec!["b.jar"], vec![]));
        assert!(found.iter().all(|one| one.searched == 3 && one.program_unseen && one.parent_first));
        let found = search(&jars, classes(), |_| false, false, || false).unwrap();
        assert_eq!(names(&found[0]), ["u.jar", "a.jar", "b.jar"]);
        assert!(!found[0].program_unseen && !found[0].parent_first);
        assert!(search(&jars, classes(), |_| false, false, || true).is_err());

        // Flink loads main() from the program's jar, also if that is on the class path.
        let mut jars = Jars { program_in_user_code: true, ..jars };
        jars.class_path.push(of("job.jar", JarPlace::Program, &["com/x/Bar.class"]));
        let found = search(&jars, classes(), |_| false, false, || false).unwrap();
        assert_eq!(names(&found[0]), ["job.jar", "u.jar", "a.jar", "b.jar"]);
        assert!(found[0].program_in_user_code);
        let found = search(&jars, classes(), |_| true, false, || false).unwrap();
        assert_eq!(names(&found[0]), ["a.jar", "b.jar", "job.jar", "u.jar"]);
    }
}
