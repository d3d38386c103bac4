//! The JVM's log of loaded classes, and the class lists that taskrunners send.
#![no_main]

use flink_model::class_data::ClassList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (log, own) = texts;
    let jars = [("flink-rpc-akka".to_owned(), "/tmp/x.jar".to_owned())].into();
    let made = ClassList::from_log(log, own);
    let received = ClassList::received(made.text().to_owned());
    assert_eq!(received.text(), made.text());
    let _ = (made.resolved(&jars), ClassList::received(log.to_owned()).resolved(&jars));
});
