//! The record of an application: any bytes are read as `outcome.json`, as `containers.jsonl` and as the
//! account of `heddle-am`, and what was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outcomes::{Account, Entry, Left, record_json};

fuzz_target!(|bytes: &[u8]| {
    let left = Left::parse(Some(bytes), Some(bytes));
    let lines: Vec<String> = left.entries.iter().map(Entry::line).collect();
    assert!(lines.iter().all(|line| !line.contains('\n')));
    let record = left.record.as_ref().map(record_json);
    let again = Left::parse(record.as_deref(), Some(lines.join("\n").as_bytes()));
    assert_eq!((again.record, again.entries, again.broken), (left.record, left.entries, 0));
    if let Some(account) = Account::parse(bytes) {
        assert_eq!(Account::parse(&account.json()), Some(account));
    }
});
