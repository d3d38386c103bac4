//! Warnings that others can cause as often as they like. Of each kind, the first one is told at once, and
//! after it at most one in each [`EVERY`], which says how many there were.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::report::Report;

/// The time for which one warning stands.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// A connection that is not known to be one of this user's.
    Stranger,
    /// A JobManager with which TLS cannot be spoken.
    JobManager,
    /// The port on this machine, which does not accept connections.
    Port,
}

/// Tells warnings.
pub(super) struct Warnings {
    report: Arc<dyn Report>,
    strangers: Mutex<Seldom>,
    job_manager: Mutex<Seldom>,
    port: Mutex<Seldom>,
}

impl Warnings {
    pub(super) fn new(report: Arc<dyn Report>) -> Arc<Self> {
        let (strangers, job_manager, port) = Default::default();
        Arc::new(Self { report, strangers, job_manager, port })
    }

    /// There is something to warn of.
    pub(super) fn add(&self, about: About, text: String) {
        tracing::debug!(?about, text, "a warning");
        let told = self.of(about).add(text);
        self.tell(told);
    }

    /// A time is over; it is called once in each [`EVERY`].
    pub(super) fn time_over(&self) {
        for about in [About::Stranger, About::JobManager, About::Port] {
            let told = self.of(about).time_over();
            self.tell(told);
        }
    }

    fn of(&self, about: About) -> MutexGuard<'_, Seldom> {
        let seldom = match about {
            About::Stranger => &self.strangers,
            About::JobManager => &self.job_manager,
            About::Port => &self.port,
        };
        seldom.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, text: Option<String>) {
        if let Some(text) = text {
            self.report.warn(&text);
        }
    }
}

/// Tells at its end what was not told yet.
pub(super) struct TellAtEnd(pub(super) Arc<Warnings>);

impl Drop for TellAtEnd {
    fn drop(&mut self) {
        self.0.time_over();
    }
}

/// Decides which warnings of one kind are told.
#[derive(Debug, Default)]
struct Seldom {
    /// Whether one was told in this time.
    told: bool,
    /// How many were not told, and the last one of them.
    untold: u64,
    last: String,
}

impl Seldom {
    /// The text that is told now, if one is.
    fn add(&mut self, text: String) -> Option<String> {
        if std::mem::replace(&mut self.told, true) {
            (self.untold, self.last) = (self.untold + 1, text);
            return None;
        }
        Some(text)
    }

    /// Begins the next time. Gives what is told of those that were not told in the last one; it stands for
    /// the next one, too.
    fn time_over(&mut self) -> Option<String> {
        let (untold, last) = (std::mem::take(&mut self.untold), std::mem::take(&mut self.last));
        self.told = untold > 0;
        match untold {
            0 => None,
            1 => Some(last),
            many => Some(format!("{last} (the last of {many} since the previous warning of this kind)")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn one_for_each_time_and_none_is_lost() {
        let mut seldom = Seldom::default();
        assert_eq!(seldom.time_over(), None);
        let told: Vec<_> = (0..2000).filter_map(|n| seldom.add(format!("no. {n}"))).collect();
        assert_eq!(told, ["no. 0"]);
        let rest = "no. 1999 (the last of 1999 since the previous warning of this kind)";
        assert_eq!(seldom.time_over().as_deref(), Some(rest));
        assert_eq!(seldom.add("a".into()), None, "that one stands for this time, too");
        assert_eq!(seldom.time_over().as_deref(), Some("a"));
        assert_eq!(seldom.time_over(), None);
        assert_eq!(seldom.add("b".into()).as_deref(), Some("b"));
    }

    /// Keeps the warnings.
    #[derive(Default)]
    pub(crate) struct Told(pub(crate) Mutex<Vec<String>>);

    impl Report for Told {
        fn info(&self, _: &str) {}
        fn warn(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[test]
    fn a_kind_does_not_hide_another_one() {
        let told = Arc::new(Told::default());
        let warnings = Warnings::new(Arc::<Told>::clone(&told));
        let guard = TellAtEnd(Arc::clone(&warnings));
        for text in ["a", "b"] {
            warnings.add(About::Stranger, text.into());
            warnings.add(About::JobManager, text.to_uppercase());
        }
        assert_eq!(*told.0.lock().unwrap(), ["a", "A"]);
        drop(guard);
        assert_eq!(*told.0.lock().unwrap(), ["a", "A", "b", "B"]);
    }
}
