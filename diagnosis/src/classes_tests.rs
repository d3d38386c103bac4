use proptest::prelude::*;

use super::*;
use crate::facts::Source;

#[test]
fn the_classes_that_errors_name() {
    for (text, classes) in [
        // Java 8, and Java 11 and later.
        (
            "java.lang.NoSuchMethodError: com.x.Bar.baz(Lcom/y/Arg;[Ljava/lang/String;)V",
            &["com.x.Bar", "com.y.Arg"][..],
        ),
        (
            "Caused by: java.lang.NoSuchMethodError: 'com.x.Ret com.x.Bar$Inner.baz(java.lang.String)'",
            &["com.x.Bar$Inner", "com.x.Ret"],
        ),
        ("java.lang.NoSuchMethodError: com.x.Bar.<init>()V", &["com.x.Bar"]),
        ("java.lang.NoSuchMethodError: 'void com.x.Bar.<init>(int)'", &["com.x.Bar"]),
        ("x.Y: java.lang.NoClassDefFoundError: com/x/Bar", &["com.x.Bar"]),
        ("java.lang.NoClassDefFoundError: Could not initialize class com.x.Bar", &["com.x.Bar"]),
        ("java.lang.ClassNotFoundException: com.x.Bar", &["com.x.Bar"]),
        ("java.lang.NoSuchFieldError: Class com.x.Bar does not have member field 'int FOO'", &["com.x.Bar"]),
        ("java.lang.NoSuchFieldError: FOO", &[]),
        (
            "java.lang.IncompatibleClassChangeError: Class com.x.Bar does not implement the requested interface com.x.Baz",
            &["com.x.Bar", "com.x.Baz"],
        ),
        (
            "java.lang.AbstractMethodError: Receiver class com.x.Bar does not define or inherit an implementation of the resolved \
             method 'abstract void run()' of interface com.x.Baz.",
            &["com.x.Bar", "com.x.Baz"],
        ),
        (
            "java.lang.ClassCastException: class com.x.Bar cannot be cast to class com.x.Bar (com.x.Bar is in unnamed module of loader \
             'app'; com.x.Bar is in unnamed module of loader org.apache.flink.util.ChildFirstClassLoader @1a2b)",
            &["com.x.Bar"],
        ),
        ("java.lang.ClassCastException: com.x.Bar cannot be cast to com.x.Bar", &["com.x.Bar"]),
        ("java.lang.ClassCastException: com.x.Bar cannot be cast to com.x.Baz", &[]),
        (
            "java.lang.VerifyError: Bad type on operand stack\nException Details:\n  Location:\n    com/x/Bar.run()V @3: invokevirtual\n  \
             Reason:\n    Type 'com/x/Baz' (current frame, stack[0]) is not assignable to 'com/x/Other'\nCaused by: a.B: c.D",
            &["com.x.Bar", "com.x.Baz", "com.x.Other"],
        ),
        (
            "java.lang.LinkageError: loader constraint violation: when resolving method 'void com.x.Bar.set(com.y.Arg)' the class loader \
             org.apache.flink.util.ChildFirstClassLoader @1 of the current class",
            &["com.x.Bar", "com.y.Arg"],
        ),
        ("java.lang.NoSuchMethodError: java.util.List.of()Ljava/util/List;", &[]),
        ("java.io.IOException: com.x.Bar", &[]),
        ("", &[]),
    ] {
        assert_eq!(named(text), classes, "{text}");
    }
}

fn jar(name: &str, place: JarPlace) -> Jar {
    Jar { name: name.into(), place }
}

fn class(jars: &[Jar]) -> ClassJars {
    ClassJars { class: "com.x.Bar".into(), jars: jars.to_vec(), searched: 40, ..ClassJars::default() }
}

const TEXT: &str = "java.lang.NoSuchMethodError: 'void com.x.Bar.baz()'";

fn told(one: &ClassJars) -> String {
    sentences(&[TEXT], &[one])
}

#[test]
fn which_jar_wins() {
    let library = || jar("a-library.jar", JarPlace::Shipped);
    let both = class(&[library(), jar("job.jar", JarPlace::Program)]);
    assert_eq!(
        told(&both),
        ". com.x.Bar is in a-library.jar (shipped), which wins, and in job.jar (of the program)."
    );
    assert_eq!(told(&class(&[library()])), ". com.x.Bar is only in a-library.jar (shipped).");
    assert_eq!(told(&class(&[])), ". com.x.Bar is in none of the 40 jars of the class path.");
    let session = ClassJars { program_unseen: true, ..class(&[library()]) };
    assert!(told(&session).ends_with("; the program's own jar, which comes before them, was not looked at."));
    let behind = ClassJars { parent_first: true, ..session };
    assert!(told(&behind).ends_with("; the program's own jar, which comes behind them, was not looked at."));
    assert!(sentences(&[TEXT], &[]).starts_with(". Which jars hold com.x.Bar is not known: "));
    assert_eq!(sentences(&["java.io.IOException: x"], &[]), "");
}

#[test]
fn what_to_set() {
    let settings = |jars: &[Jar]| {
        let one = class(jars);
        let fixes = fixes(&[&one]);
        assert_eq!(fixes.last().map(|fix| fix.key.as_str()), Some("maven-shade-plugin"));
        let all = fixes.iter().map(|fix| format!("{}: {}", fix.key, fix.value));
        all.take(fixes.len() - 1).collect::<Vec<_>>()
    };
    let (program, usrlib) = (jar("job.jar", JarPlace::Program), jar("usrlib/job.jar", JarPlace::UserCode));
    let (flink, shipped) = (jar("lib/a.jar", JarPlace::Flink), jar("b.jar", JarPlace::Shipped));
    let node = jar("/hadoop/c.jar", JarPlace::Node);
    assert_eq!(
        settings(&[shipped.clone(), program.clone()]),
        ["yarn.classpath.include-user-jar: FIRST", "yarn.ship-files: <without b.jar>"]
    );
    assert_eq!(
        settings(&[flink.clone(), usrlib.clone()]),
        ["classloader.resolve-order: child-first", "FLINK_HOME: <without lib/a.jar>"]
    );
    assert_eq!(settings(&[usrlib, flink.clone()]), ["classloader.parent-first-patterns.additional: com.x."]);
    assert_eq!(settings(&[program, node.clone()]), ["yarn.classpath.include-user-jar: LAST"]);
    assert_eq!(settings(&[node, flink.clone()]), ["heddle.hadoop-classpath: none"]);
    assert!(fixes(&[&class(&[flink])]).is_empty() && fixes(&[]).is_empty());
}

#[test]
fn each_class_counts_once() {
    let seen = |at, fact| Seen { source: Source::Outcome, at: Some(at), fact };
    let (several, none) =
        (class(&[jar("a.jar", JarPlace::Flink), jar("b.jar", JarPlace::Flink)]), class(&[]));
    let other = ClassJars { class: "com.x.Unnamed".into(), ..class(&[]) };
    let known = [seen(1, none), seen(2, other), seen(3, several.clone()), seen(4, several.clone())];
    assert_eq!(of(&[TEXT], &known), [&several]);
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,80}", names in "[a-zA-Z./$;(<\n ']{0,80}") {
        for text in [text, format!("java.lang.VerifyError: {names}"), format!("java.lang.NoSuchMethodError{names}")] {
            for class in named(&text) {
                prop_assert!(class.contains('.') && !class.contains('/') && class.len() <= LONGEST, "{}", class);
            }
        }
    }
}
