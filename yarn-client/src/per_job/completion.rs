//! Tells the ApplicationMaster how `main()` has ended. With high availability that may take minutes, because
//! there may be no ApplicationMaster just then.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::sleep;
use yarn_api::records::ApplicationReport;

use super::end::ApplicationEnd;
use crate::interrupt::Interrupt;
use crate::report::Report;

/// After this time the user is told what is waited for.
const SILENT: Duration = Duration::from_secs(10);
/// How long a client that was interrupted before goes on trying: the ApplicationMaster is to hear that, too.
const INTERRUPTED_WITHIN: Duration = Duration::from_secs(15);

/// What has become of it.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// The ApplicationMaster has noted it; what it says is for people.
    Noted(String),
    /// The application has ended, so nobody has to know it any more.
    Over(Box<ApplicationReport>),
    /// The ApplicationMaster does not know it; the text says why.
    Not(String),
}

/// Waits for `telling`, unless the application ends before or the user has enough of it.
pub(super) async fn told<E: Display>(
    telling: impl Future<Output = Result<String, E>>,
    end: &ApplicationEnd,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Told {
    let enough = async {
        if interrupt.cause().is_some() {
            sleep(INTERRUPTED_WITHIN).await;
        }
        interrupt.raised().await
    };
    let explain = async {
        sleep(SILENT).await;
        report.info("main() has ended; waiting until the ApplicationMaster has noted how");
        std::future::pending().await
    };
    tokio::select! {
        biased;
        noted = telling => match noted {
            Ok(losses) => Told::Noted(losses),
            Err(error) => Told::Not(error.to_string()),
        },
        last = end.wait() => Told::Over(Box::new(last)),
        cause = enough => Told::Not(format!("{cause}; the ApplicationMaster has not heard how main() ended")),
        never = explain => never,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::timeout;
    use yarn_api::records::ApplicationState;

    use super::*;
    use crate::deploy::report_in_state;
    use crate::interrupt::{Cause, Signal};
    use crate::report::Silent;

    /// An ApplicationMaster that cannot be reached.
    fn nobody() -> impl Future<Output = Result<String, String>> {
        pending()
    }

    #[tokio::test]
    async fn the_end_of_the_application_ends_the_wait() {
        let (end, interrupt) = (ApplicationEnd::new(), Interrupt::default());
        let mut waiting = Box::pin(told(nobody(), &end, &interrupt, &Silent));
        assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
        let last = report_in_state(ApplicationState::Killed, "");
        end.seen(last.clone());
        // The first report counts.
        end.seen(report_in_state(ApplicationState::Finished, ""));
        assert_eq!(waiting.await, Told::Over(Box::new(last)));
    }

    #[tokio::test]
    async fn an_interruption_ends_the_wait() {
        let (end, interrupt) = (ApplicationEnd::new(), Interrupt::default());
        let mut waiting = Box::pin(told(nobody(), &end, &interrupt, &Silent));
        assert!(timeout(Duration::from_millis(100), &mut waiting).await.is_err());
        interrupt.raise(Cause::Signal(Signal::Interrupt));
        let why = "interrupted by SIGINT; the ApplicationMaster has not heard how main() ended";
        assert_eq!(waiting.await, Told::Not(why.into()));
    }

    #[tokio::test]
    async fn that_main_was_interrupted_is_told_as_well() {
        let (end, interrupt) = (ApplicationEnd::new(), Interrupt::default());
        interrupt.raise(Cause::Signal(Signal::Interrupt));
        let soon = async {
            sleep(Duration::from_millis(100)).await;
            Ok::<_, String>("noted".to_owned())
        };
        assert_eq!(told(soon, &end, &interrupt, &Silent).await, Told::Noted("noted".into()));
    }
}
