//! Compares how configuration files are read, and checks that Flink reads back what heddle writes.

use std::collections::BTreeMap;

use flink_model::config::{ConfigFiles, Entry, FileFormat, SourceFile, load_files};
use flink_model::release::FileRule;
use proptest::prelude::*;

use crate::oracle::{Oracle, configuration, each_release, run};

fn legacy_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => ("[a-c.]{1,4}", "( ?: {0,2})", "[a-z0-9:#'\" /-]{0,10}").prop_map(|(k, s, v)| format!("{k}{s}{v}")),
        1 => "[ #:a-b\t'\"]{0,8}",
        1 => "#.{0,8}",
    ];
    prop::collection::vec((line, prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..8)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

/// A scalar as people write it.
fn yaml_scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z][a-z0-9:/._ -]{0,8}[a-z0-9]",
        2 => "[-+]?[0-9]{1,6}",
        2 => "[-+]?[0-9]{0,3}[.][0-9]{1,4}([eE][-+]?[0-9])?",
        1 => "0[xo][0-9a-f]{1,4}",
        1 => prop::sample::select(vec![
            "true", "False", "yes", "~", "null", "", ".inf", "-.Inf", ".nan", "1e3", "'it''s'", "\"a\\tb\\u00e9\"", "'5'", "1_000",
            "0777", "2020-01-01", "12:30:45", "!!str 5", "!!int '7'", "!foo x", "&a 5", "a #b", "a#b", "- a", "[a", "a: b", "*x", "@a", "%a",
            "`a", "é", "-", "?", "1.", "+5", "'a\n  b'", "=", "<<", "?a", ":a", "a?", "-a", "- -", "a, b", "a: ", "'a' b",
        ])
        .prop_map(str::to_owned),
    ]
}

fn yaml_text() -> impl Strategy<Value = String> {
    let flow = yaml_scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(("[a-e]{1,2}", inner), 0..3).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", pairs.join(", "))
            }),
        ]
    });
    let key = prop_oneof![
        8 => "[a-h]{1,3}([.][a-h]{1,2})?",
        1 => prop::sample::select(vec!["1", "true", "'q'", "\"r s\"", "a b", "a:b", "? c"]).prop_map(str::to_owned),
    ];
    let block =
        (key.clone(), flow).prop_map(|(k, v)| format!("{k}: {v}\n")).prop_recursive(3, 16, 4, move |inner| {
            let indent = |text: String| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
            prop_oneof![
                (key.clone(), prop::collection::vec(inner.clone(), 1..4))
                    .prop_map(move |(k, v)| format!("{k}:\n{}", indent(v.concat()))),
                (key.clone(), prop::collection::vec(yaml_scalar(), 1..4)).prop_map(|(k, v)| format!(
                    "{k}:\n{}",
                    v.iter().map(|i| format!("- {i}\n")).collect::<String>()
                )),
                (key.clone(), "[a-z|>#:'][a-z |>#:']{0,12}").prop_map(|(k, v)| format!("{k}: |\n  {v}\n")),
                inner.prop_map(|text| format!("# comment\n{text}")),
            ]
        });
    prop::collection::vec(block, 0..5).prop_map(|blocks| blocks.concat())
}

/// A text with one piece inserted somewhere, which makes it wrong or unusual.
fn mangled_text() -> impl Strategy<Value = String> {
    let insertions = vec![
        " ", "\t", "\n", ":", ": ", "#", " #", "'", "\"", "[", "]", "{", "}", ",", "- ", "&x ", "*x", "!",
        "|\n", ">", "?", "? ", "%", "@", "---\n", "...\n", "\\", "<<: ", "~", "é", "  ",
    ];
    (yaml_text(), any::<prop::sample::Index>(), prop::sample::select(insertions)).prop_map(
        |(text, at, insertion)| {
            let at = at.index(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            format!("{}{insertion}{}", &text[..at], &text[at..])
        },
    )
}

/// Parts of the messages, Flink's or heddle's, with which one parser refuses a file that the other one
/// accepts; see [`known_differences`].
const KNOWN: [&str; 3] = [
    "plain scalar cannot start with '-'",
    "the leading empty lines contain more spaces",
    "Do not use ? for indentation",
];

/// Whether both parsers must refuse the same files. Of malformed files, each parser accepts some that the
/// other one refuses.
#[derive(Clone, Copy, PartialEq)]
enum Refusals {
    Equal,
    Any,
}

/// Loads a file with heddle and with Flink, and compares the results key by key.
fn compare_file(
    oracle: &Oracle,
    format: FileFormat,
    text: &str,
    refusals: Refusals,
) -> Result<(), TestCaseError> {
    let file = Some(SourceFile { path: format.file_name(), text });
    let files = match format {
        FileFormat::Legacy => ConfigFiles { legacy: file, standard: None },
        FileFormat::Standard => ConfigFiles { legacy: None, standard: file },
    };
    let ours = load_files(oracle.release, &files)
        .map(|l| {
            l.configuration.iter().map(|(k, e)| (k.to_owned(), e.value.text())).collect::<BTreeMap<_, _>>()
        })
        .map_err(|e| e.to_string());
    let known = |message: &str| KNOWN.iter().any(|known| message.contains(known));
    match (ours, oracle.load(&[(format.file_name(), text)])) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(_)) | (Err(_), Ok(_)) if refusals == Refusals::Any => {}
        (Ok(_), Err(message)) | (Err(message), Ok(_)) if known(&message) => {}
        (Ok(ours), Err(theirs)) => prop_assert!(false, "only Flink refuses: {}\nours: {:?}", theirs, ours),
        (Err(ours), Ok(theirs)) => prop_assert!(false, "only we refuse: {}\nFlink: {:?}", ours, theirs),
    }
    Ok(())
}

#[test]
fn legacy_files_are_read_as_flink_reads_them() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::StandardOnly {
            return;
        }
        run(&legacy_text(), |text| compare_file(oracle, FileFormat::Legacy, &text, Refusals::Equal));
    });
}

#[test]
fn standard_files_are_read_as_flink_reads_them() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        run(&yaml_text(), |text| compare_file(oracle, FileFormat::Standard, &text, Refusals::Equal));
        run(&mangled_text(), |text| compare_file(oracle, FileFormat::Standard, &text, Refusals::Any));
    });
}

/// The files that one parser accepts and the other one refuses. They are rare, and the error names the place.
#[test]
fn known_differences() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        let ours = |text| {
            let file = Some(SourceFile { path: "config.yaml", text });
            load_files(oracle.release, &ConfigFiles { legacy: None, standard: file }).is_ok()
        };
        let lone_dash = "a: {b: -}\n";
        assert!(!ours(lone_dash) && oracle.load(&[("config.yaml", lone_dash)]).is_ok());
        for text in ["a:\n  a: |\n    \n", "a:\t\n- b\n", "a: [!]\n", "...\n", "a: [?]\n"] {
            assert!(ours(text) && oracle.load(&[("config.yaml", text)]).is_err(), "{text:?}");
        }
    });
}

/// Checks which file is read if both exist, and which if only one does.
#[test]
fn the_same_file_wins() {
    each_release(|oracle| {
        let (legacy, standard) = (("flink-conf.yaml", "from: legacy\n"), ("config.yaml", "from: standard\n"));
        let source = |(path, text)| SourceFile { path, text };
        for (one, other) in [(Some(legacy), None), (None, Some(standard)), (Some(legacy), Some(standard))] {
            let files = ConfigFiles { legacy: one.map(source), standard: other.map(source) };
            let ours = load_files(oracle.release, &files).ok().map(|loaded| {
                let of = |(key, entry): (&str, &Entry)| (key.to_owned(), entry.value.text());
                loaded.configuration.iter().map(of).collect::<BTreeMap<_, _>>()
            });
            let there: Vec<_> = one.into_iter().chain(other).collect();
            assert_eq!(ours, oracle.load(&there).ok(), "Flink {}: {there:?}", oracle.release);
        }
    });
}

/// Files for which heddle once came to another result than Flink.
#[test]
fn former_differences() {
    each_release(|oracle| {
        if oracle.release.traits().file_rule == FileRule::LegacyOnly {
            return;
        }
        for text in [
            "a:\n  b: [\n]\n",
            "a: [\nx,\ny ]\n",
            "a: [?b]\n",
            "a: {b: ?c}\n",
            "a: {b: :c}\n",
            "a: |\n  b\n  ",
            "a: [{'': 1, {}: 2}]\n",
            "a:\tb\n",
            "\ta: b\n",
        ] {
            compare_file(oracle, FileFormat::Standard, text, Refusals::Equal)
                .unwrap_or_else(|e| panic!("{text:?}: {e}"));
        }
    });
}

#[test]
fn flink_reads_back_what_we_ship() {
    let pairs = prop::collection::btree_map(
        "[a-z.]{1,8}",
        "(?s)[^\u{0}]{0,20}|[-a:{}\\[\\]&*!|>'\"%@#,? \n\t0-9.e~]{0,10}",
        0..6,
    );
    each_release(|oracle| {
        let formats: &[FileFormat] = match oracle.release.traits().file_rule {
            FileRule::LegacyOnly => &[FileFormat::Legacy],
            FileRule::LegacyFirst => &[FileFormat::Legacy, FileFormat::Standard],
            FileRule::StandardOnly => &[FileFormat::Standard],
        };
        for &format in formats {
            run(&pairs, |pairs| {
                let rendered = configuration(format, &pairs).render();
                let mut read =
                    oracle.load(&[(format.file_name(), &rendered.text)]).map_err(TestCaseError::fail)?;
                read.extend(rendered.not_carried);
                prop_assert_eq!(read, pairs, "{}", rendered.text);
                Ok(())
            });
        }
    });
}
