//! Says what is wrong if heddle itself has a defect and panics.

use std::panic::PanicHookInfo;
use std::sync::Arc;

use yarn_client::error::{CauseClass, Failure};

use super::console::Console;

/// Lets a panic be told as all failures are: in an `error:` line, and in the answer if a program reads that.
/// Afterwards a shipped program ends by SIGABRT.
pub(crate) fn tell_on(console: &Arc<Console>) {
    let console = Arc::clone(console);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        console.give_defect(&failure(info));
    }));
}

fn failure(info: &PanicHookInfo<'_>) -> Failure {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    Failure::new(format!("heddle has a defect, and ends at once ({place}): {text}"))
        .of_class(CauseClass::Internal)
        .hint("report it, please, with the lines above; RUST_BACKTRACE=1 adds where it has happened")
        .hint("what was started may still run: `heddle ps` lists your applications")
}
