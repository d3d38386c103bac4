//! Tests what people see of a session with two slots, whose size is one MB too large.

use flink_model::config::{Configuration, FileFormat, Origin};
use flink_model::memory_advice::advise;
use hadoop_rpc::HadoopConf;
use yarn_api::records::Resource;

use super::*;

fn configuration(pairs: &[(&str, &str)]) -> Configuration {
    let mut conf = Configuration::new(FileFormat::Standard);
    for (line, (key, value)) in pairs.iter().enumerate() {
        let origin = Origin::File { file: "/etc/flink/config.yaml".into(), line: line + 1 };
        conf.set(*key, *value, origin);
    }
    conf
}

fn study() -> Study {
    let release = "1.20.5".parse().unwrap();
    let plain = configuration(&[
        ("jobmanager.memory.process.size", "1600m"),
        ("taskmanager.memory.process.size", "1728m"),
        ("taskmanager.numberOfTaskSlots", "2"),
    ]);
    let mut conf = plain.clone();
    let size = "taskmanager.memory.process.size";
    conf.set(size, "4097m", Origin::Flag("--set".into()));
    let hadoop = HadoopConf::from_map([("yarn.scheduler.minimum-allocation-mb", "1024")]);
    let mut limits = ContainerLimits::of_cluster(&hadoop, &Resource::new(16384, 8), &[]);
    limits.nodes = vec![yarn_client::memory::Node { memory_mb: 16384, vcores: 8 }; 3];
    let sizes = Sizes::of(&conf, release).unwrap();
    let [jm, tm] = &sizes.processes;
    let advice = advise(&conf, release, &sizes.spec, [jm, tm], Some(&limits.yarn()));
    let name = "without --set".to_owned();
    Study {
        without_trials: Some(Other { name, sizes: Ok(Sizes::of(&plain, release).unwrap()) }),
        at_hand: None,
        directory: "/etc/flink".into(),
        limits: Ok(limits),
        advice,
        refused: Vec::new(),
        warnings: Vec::new(),
        sizes,
    }
}

const LOOK: Look = Look { columns: 80, unicode: true, colour: false };

#[test]
fn as_people_see_it() {
    insta::assert_snapshot!("columns_80", render(&study(), LOOK));
    insta::assert_snapshot!("columns_200", render(&study(), Look { columns: 200, ..LOOK }));
    insta::assert_snapshot!("ascii", render(&study(), Look { unicode: false, columns: 60, ..LOOK }));
}

#[test]
fn no_line_is_too_long() {
    for columns in [72, 74, 80, 100, 140, 200, 300] {
        for unicode in [true, false] {
            let text = render(&study(), Look { columns, unicode, colour: false });
            let long: Vec<_> = text.lines().filter(|l| l.chars().count() > columns).collect();
            assert!(long.is_empty(), "{columns}: {long:#?}");
            assert!(unicode || text.is_ascii());
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = render(&study(), Look { colour: true, ..LOOK });
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut inside = false;
    for c in coloured.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    let lines = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    let patterns = |text: String| text.replace(['▒', '▓', '░'], "█");
    assert_eq!(lines(&patterns(plain)), lines(&patterns(render(&study(), LOOK))));
}

#[test]
fn a_request_that_is_too_large() {
    let limits =
        ContainerLimits::of_cluster(&HadoopConf::from_map([("a", "b")]), &Resource::new(2048, 2), &[]);
    assert_eq!(granted(&limits, 4097), None);
    assert_eq!(
        container(&limits, 4097, 2, None),
        "asked for 4097 MiB and 2 vcores; the largest container has 2048 MiB"
    );
}
