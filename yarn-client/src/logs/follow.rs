//! Hands on lines that are written to logs while an application runs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use yarn_api::records::ContainerId;

use super::find::find;
use super::lines::{Filter, Lines};
use super::missing::Missing;
use super::node_web::{NodeWeb, Trouble};
use super::show::{Ends, Show};
use super::types::{At, Catalog, ContainerLogs, Log, Request};
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::patience::Wait;

/// The pause between two looks at the logs.
const POLL: Duration = Duration::from_secs(1);
/// After this many looks, the ResourceManager is asked whether there are other containers, and whether the
/// application still runs.
const RENEW: u32 = 5;
/// More is fetched than a log has grown by according to its list, by this many bytes, because it may grow
/// before it is fetched.
const SLACK: u64 = 64 << 10;
/// The most that is fetched of a log at once, unless that leaves something out.
const LARGEST: u64 = 64 << 20;

/// Hands on the lines that are written from now on, until the application has ended or nobody reads the lines
/// any more. `ends` says how far the logs in `catalog` were read. Gives the state in which the application
/// has ended, in YARN's words.
///
/// A NodeManager that does not answer is told once, and asked again.
pub async fn follow(
    hadoop: &Hadoop,
    request: &Request,
    filter: &Filter,
    catalog: Catalog,
    ends: Ends,
    out: &mut dyn Show,
) -> Result<Option<String>, Failure> {
    let hadoop = hadoop.clone().waiting(Wait::Changing);
    // The last lines were taken already.
    let filter = filter.clone().with_tail(None);
    let mut logs = Followed { filter, at: ends, lines: HashMap::new(), told: HashSet::new(), last: None };
    let mut catalog = catalog;
    let mut looks = 0;
    loop {
        if !logs.look(&catalog, out).await {
            return Ok(None);
        }
        out.pause();
        if !catalog.is_live {
            return Ok(catalog.state);
        }
        tokio::time::sleep(POLL).await;
        looks += 1;
        if looks == RENEW {
            looks = 0;
            let renewed = find(&hadoop, request).await?;
            // What the containers have written at last is still to be read where it was.
            catalog = if renewed.is_live {
                renewed
            } else {
                Catalog { state: renewed.state, is_live: false, ..catalog }
            };
        }
    }
}

/// The logs that are followed.
struct Followed {
    filter: Filter,
    /// How far each was read.
    at: Ends,
    /// The beginnings of lines.
    lines: HashMap<(ContainerId, String), Lines>,
    /// Of what it was told that it is missing.
    told: HashSet<String>,
    /// The log of the last line.
    last: Option<(ContainerId, String)>,
}

impl Followed {
    /// Hands on what is new. Gives `false` if nobody reads it any more.
    async fn look(&mut self, catalog: &Catalog, out: &mut dyn Show) -> bool {
        for container in &catalog.containers {
            let mut wanted: BTreeMap<&str, (&Log, &NodeWeb)> = BTreeMap::new();
            for log in &container.logs {
                if let At::Live(node) = &log.at {
                    wanted.insert(&log.file, (log, node));
                }
            }
            let Some((_, node)) = wanted.values().next() else { continue };
            let sizes = match node.list(&container.container).await {
                Ok(list) => list,
                Err(trouble) => {
                    self.tell(&trouble, &container.container, out);
                    continue;
                }
            };
            self.told.remove(&container.container);
            for found in sizes {
                let Some((log, node)) = wanted.get(found.name.as_str()) else { continue };
                match self.grown(container, log, node, found.size, out).await {
                    Ok(true) => {}
                    Ok(false) => return false,
                    Err(trouble) => {
                        self.tell(&trouble, &format!("{} of {}", log.file, container.container), out)
                    }
                }
            }
        }
        true
    }

    /// Says what is missing, once until it is there again.
    fn tell(&mut self, trouble: &Trouble, what: &str, out: &mut dyn Show) {
        // The container has ended: its end is in the collected logs, or YARN soon says that it is gone.
        if !trouble.is_not_there && self.told.insert(what.to_owned()) {
            out.missing(&trouble.missing(format!("new lines of {what}")));
        }
    }

    /// Hands on what a log of `size` bytes has more than was read.
    async fn grown(
        &mut self,
        container: &ContainerLogs,
        log: &Log,
        node: &NodeWeb,
        size: u64,
        out: &mut dyn Show,
    ) -> Result<bool, Trouble> {
        let key = (container.id, log.file.clone());
        let mut read = self.at.get(&key).copied().unwrap_or_default();
        if size < read {
            // The file was replaced by a new one, as it is when it has grown too large.
            read = 0;
            self.lines.remove(&key);
        }
        if size == read {
            return Ok(true);
        }
        let mut window = (size - read).min(LARGEST) + SLACK;
        let mut text = node.open(&container.container, &log.file, Some(window)).await?;
        while text.from > read && window < u64::MAX / 4 {
            window *= 4;
            text = node.open(&container.container, &log.file, Some(window)).await?;
        }
        let mut at = text.from;
        let mut lines = self.lines.remove(&key).unwrap_or_else(|| Lines::new(&self.filter));
        let last = &mut self.last;
        let mut take = |line: &[u8]| {
            if (*last).as_ref() != Some(&key) {
                out.begin(container, log);
                *last = Some(key.clone());
            }
            out.line(line)
        };
        let mut done = Ok(true);
        loop {
            let piece = match text.next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(trouble) => {
                    done = Err(trouble);
                    break;
                }
            };
            let known = usize::try_from(read.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            at += piece.len() as u64;
            if !lines.push(piece.get(known..).unwrap_or_default(), &mut take) {
                return Ok(false);
            }
        }
        // After a broken connection, the rest is fetched at the next look.
        self.lines.insert(key.clone(), lines);
        self.at.insert(key, at.max(read));
        if done.is_ok() {
            self.told.remove(&format!("{} of {}", log.file, container.container));
        }
        done
    }
}

impl Catalog {
    /// Something to say if an application that was to be followed does not run.
    pub fn not_live(&self) -> Option<Missing> {
        (!self.is_live).then(|| {
            let state = self.state.as_deref().unwrap_or("not known to YARN any more");
            Missing::new("new lines", format!("the application is {state}, so nothing more is written"))
        })
    }
}
