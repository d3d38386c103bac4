//! Remembers from command to command which of several ResourceManagers is the active one, so that the next
//! command asks it first. What is remembered may be wrong at any time: then the others are asked, too.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use hadoop_rpc::Endpoint;

use crate::ownership;

/// Name of the file in the cache directory. For each cluster, named by the addresses of its ResourceManagers,
/// it has the address of the active one.
const FILE: &str = "active-resourcemanagers.json";
/// More clusters than this are not remembered.
const MOST: usize = 64;

/// The ResourceManagers of a cluster, and where the active one is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    file: PathBuf,
    addresses: Vec<String>,
}

impl Active {
    /// None where there is nothing to remember: of a single ResourceManager, and without a cache directory.
    pub(crate) fn new(cache: Option<&Path>, servers: &[Endpoint]) -> Option<Self> {
        let addresses: Vec<String> = servers.iter().map(Endpoint::to_string).collect();
        (addresses.len() > 1).then_some(Self { file: cache?.join(FILE), addresses })
    }

    fn cluster(&self) -> String {
        self.addresses.join(",")
    }

    fn known(&self) -> BTreeMap<String, String> {
        let content = std::fs::read(&self.file).unwrap_or_default();
        serde_json::from_slice(&content).unwrap_or_default()
    }

    /// Index of the one that was active last.
    pub(crate) fn last(&self) -> Option<usize> {
        let address = self.known().remove(&self.cluster())?;
        self.addresses.iter().position(|known| *known == address)
    }

    /// The one with this index is active.
    pub(crate) fn remember(&self, index: usize) {
        if let Err(error) = self.write(index) {
            tracing::debug!(%error, file = %self.file.display(), "cannot remember the active ResourceManager");
        }
    }

    fn write(&self, index: usize) -> std::io::Result<()> {
        let Some(address) = self.addresses.get(index) else { return Ok(()) };
        let mut known = self.known();
        known.retain(|cluster, _| *cluster != self.cluster());
        while known.len() >= MOST {
            known.pop_first();
        }
        known.insert(self.cluster(), address.clone());
        let directory = self.file.parent().unwrap_or(Path::new("/"));
        ownership::make_directory(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&serde_json::to_vec(&known)?)?;
        file.persist(&self.file).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(hosts: &[&str]) -> Vec<Endpoint> {
        hosts.iter().map(|host| Endpoint::new(*host, 8032)).collect()
    }

    #[test]
    fn the_active_one_of_each_cluster_is_remembered() {
        let cache = tempfile::tempdir().unwrap();
        let of = |hosts: &[&str]| Active::new(Some(cache.path()), &servers(hosts));
        assert!(of(&["a"]).is_none() && Active::new(None, &servers(&["a", "b"])).is_none());
        let (one, two) = (of(&["a", "b"]).unwrap(), of(&["b", "c"]).unwrap());
        assert_eq!(one.last(), None);
        one.remember(1);
        two.remember(0);
        assert_eq!((one.last(), two.last()), (Some(1), Some(0)));
        one.remember(0);
        one.remember(7);
        assert_eq!((one.last(), two.last()), (Some(0), Some(0)));
        for number in 0..2 * MOST {
            of(&["a", &number.to_string()]).unwrap().remember(1);
        }
        assert!(one.known().len() <= MOST);
        std::fs::write(&one.file, "damaged").unwrap();
        assert_eq!(one.last(), None);
    }
}
