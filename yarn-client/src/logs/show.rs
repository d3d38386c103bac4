//! Hands on the lines of logs, one log after the other.

use std::collections::HashMap;

use yarn_api::records::ContainerId;

use super::collected::Reader;
use super::lines::{Filter, Last, Lines};
use super::missing::Missing;
use super::node_web::NodeWeb;
use super::opened::{Opened, rest_of};
use super::types::{At, Catalog, ContainerLogs, Log};

/// What is fetched first for the last lines of a log that a NodeManager has: this many bytes for each line.
const LINE: u64 = 200;
/// At least this many bytes are fetched for them.
const LEAST: u64 = 64 << 10;

/// Where lines go.
pub trait Show {
    /// The next lines are of this log. It is called only if there are any.
    fn begin(&mut self, container: &ContainerLogs, log: &Log);

    /// A line, without its end. Gives `false` if nobody reads the lines any more.
    fn line(&mut self, line: &[u8]) -> bool;

    /// Several lines, each with its end: `\n`, or `\r\n` where the log has that. Gives `false` if nobody
    /// reads the lines any more.
    fn lines(&mut self, lines: &[u8]) -> bool;

    /// No more lines come for a while.
    fn pause(&mut self);

    /// A log could not be read, or not to its end.
    fn missing(&mut self, missing: &Missing);
}

/// How far logs on NodeManagers were read: for each container and log file, the number of bytes from its
/// beginning.
pub type Ends = HashMap<(ContainerId, String), u64>;

/// Hands the lines that are wanted of all logs of a catalogue to `out`. A log that cannot be read does not
/// keep the others from being read. Gives how far the logs on NodeManagers were read; with `follows`, a line
/// without an end is left for later. `None` if nobody reads the lines any more.
pub async fn show(catalog: &Catalog, filter: &Filter, follows: bool, out: &mut dyn Show) -> Option<Ends> {
    let mut ends = Ends::new();
    let mut reader = Reader::default();
    for container in &catalog.containers {
        for log in container.logs.iter().filter(|log| log.bytes > 0 || follows) {
            let mut shown = Shown { container, log, has_begun: false, goes_on: true, out: &mut *out };
            let read = one(&catalog.application, &mut shown, &mut reader, filter, follows).await;
            let goes_on = shown.goes_on;
            out.pause();
            match read {
                Ok(Some(end)) => {
                    ends.insert((container.id, log.file.clone()), end);
                }
                Ok(None) => {}
                Err(missing) => out.missing(&missing),
            }
            if !goes_on {
                return None;
            }
        }
    }
    Some(ends)
}

/// A log whose lines are handed on.
struct Shown<'a, 'b> {
    container: &'a ContainerLogs,
    log: &'a Log,
    has_begun: bool,
    goes_on: bool,
    out: &'b mut dyn Show,
}

impl Shown<'_, '_> {
    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.out.begin(self.container, self.log);
        }
    }

    fn line(&mut self, line: &[u8]) -> bool {
        self.begin();
        self.goes_on = self.out.line(line);
        self.goes_on
    }

    fn lines(&mut self, lines: &[u8]) -> bool {
        self.begin();
        self.goes_on = self.out.lines(lines);
        self.goes_on
    }

    fn last(&mut self, last: Last) {
        for line in last.into_lines() {
            if !self.line(&line) {
                return;
            }
        }
    }
}

/// Hands on the lines of one log. Gives how far it was read, if it is one of a NodeManager.
async fn one(
    application: &str,
    shown: &mut Shown<'_, '_>,
    reader: &mut Reader,
    filter: &Filter,
    follows: bool,
) -> Result<Option<u64>, Missing> {
    let (container, log) = (shown.container, shown.log);
    let what = rest_of(container, log);
    if let At::Live(node) = &log.at
        && let Some(tail) = filter.tail.filter(|_| filter.takes_all())
    {
        return last_of_live(node, shown, tail, follows, &what).await.map(Some);
    }
    let text = Opened::of(application, (container, log), reader, None).await?;
    let is_live = text.is_live();
    let end = lines(text, shown, filter, follows && is_live, &what).await?;
    Ok(is_live.then_some(end))
}

/// Hands on the lines of a text. Gives how many bytes of it were used.
async fn lines(
    mut text: Opened,
    shown: &mut Shown<'_, '_>,
    filter: &Filter,
    follows: bool,
    what: &str,
) -> Result<u64, Missing> {
    let mut lines = Lines::new(filter);
    let mut last = filter.tail.map(Last::new);
    let are_all_shown = filter.takes_all() && last.is_none();
    let mut read = 0;
    let mut take = |text: &[u8]| match &mut last {
        Some(last) => {
            last.push(text);
            true
        }
        None if are_all_shown => shown.lines(text),
        None => shown.line(text),
    };
    let mut done = Ok(());
    loop {
        match text.next(what).await {
            Ok(Some(piece)) => {
                read += piece.len() as u64;
                let goes_on = if are_all_shown {
                    lines.push_all(&piece, &mut take)
                } else {
                    lines.push(&piece, &mut take)
                };
                if !goes_on {
                    return Ok(read);
                }
            }
            Ok(None) => break,
            Err(missing) => {
                // What came before it is shown.
                done = Err(missing);
                break;
            }
        }
    }
    if follows {
        read -= lines.pending().min(read);
    } else if are_all_shown {
        lines.finish_all(&mut take);
    } else {
        lines.finish(&mut take);
    }
    if let Some(last) = last {
        shown.last(last);
    }
    done.map(|()| read)
}

/// Hands on the last lines of a log that a NodeManager has. Only as much is fetched as they need: the end of
/// the log, and more of it as long as that has too few lines.
async fn last_of_live(
    node: &NodeWeb,
    shown: &mut Shown<'_, '_>,
    tail: usize,
    follows: bool,
    what: &str,
) -> Result<u64, Missing> {
    let (container, file) = (&shown.container.container, &shown.log.file);
    let mut window = LEAST.max((tail as u64).saturating_mul(LINE));
    loop {
        let opened = node.open(container, file, Some(window)).await;
        let mut text = opened.map_err(|trouble| trouble.missing(what))?;
        let from = text.from;
        // One more, because the first line may be only the end of one.
        let mut last = Last::new(tail.saturating_add(1));
        let mut lines = Lines::new(&Filter::default());
        let mut take = |line: &[u8]| {
            last.push(line);
            true
        };
        let mut read = from;
        while let Some(piece) = text.next().await.map_err(|trouble| trouble.missing(what))? {
            read += piece.len() as u64;
            lines.push(&piece, &mut take);
        }
        if follows {
            read -= lines.pending().min(read);
        } else {
            lines.finish(&mut take);
        }
        if from > 0 && last.len() <= tail && window < u64::MAX / 8 {
            window *= 8;
            continue;
        }
        while last.len() > tail {
            last.drop_first();
        }
        shown.last(last);
        return Ok(read);
    }
}
