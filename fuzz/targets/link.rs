//! The link between a taskrunner and the ApplicationMaster: whatever either side sends is read or refused. So
//! is the line by which the ApplicationMaster of a later attempt makes itself known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskrunner::control::{Command, Event, TimelineReply};
use taskrunner::wire::{LARGEST_HELLO, Liveness, Reader};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(line) = std::str::from_utf8(bytes) {
        taskrunner::fuzzing::successor(line);
    }
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let mut reader = Reader::new(bytes, LARGEST_HELLO, Liveness::default());
            if let Ok(Some(_)) = reader.next::<Event>().await {
                reader.allow(1 << 20);
                while let Ok(Some(_)) = reader.next::<Event>().await {}
            }
            let mut reader = Reader::new(bytes, 1 << 20, Liveness::default());
            while let Ok(Some(_)) = reader.next::<Command>().await {}
            let mut reader = Reader::new(bytes, 1 << 20, Liveness::default());
            while let Ok(Some(_)) = reader.next::<TimelineReply>().await {}
        });
    });
});
