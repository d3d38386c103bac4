//! Turns heddle's description of a container's files into YARN's records of local resources. The client needs
//! them for the submission, and the ApplicationMaster for the containers that it starts. Does no I/O.

use std::collections::BTreeMap;

use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use taskrunner::links;
use yarn_api::records::{self, LocalResourceType, ParseUrlError};

/// A local resource that YARN cannot be told of.
#[derive(Debug, thiserror::Error)]
pub enum BadResource {
    /// The URL cannot be parsed.
    #[error("local resource '{key}': {source}")]
    Url {
        /// The path in the container's working directory.
        key: String,
        /// Why the URL cannot be parsed.
        source: ParseUrlError,
    },
    /// The path would lead out of the container's working directory, where the NodeManager would make the
    /// link nevertheless.
    #[error("local resource '{0}': this is no path below the container's directory")]
    Outside(String),
}

/// YARN's record of a local resource.
pub fn local_resource(resource: &LocalResource) -> Result<records::LocalResource, BadResource> {
    if !links::is_below(&resource.key) {
        return Err(BadResource::Outside(resource.key.clone()));
    }
    let url = resource.url.parse();
    Ok(records::LocalResource {
        url: url.map_err(|source| BadResource::Url { key: resource.key.clone(), source })?,
        size: resource.size,
        timestamp: u64::try_from(resource.modification_time).unwrap_or_default(),
        kind: match resource.kind {
            LocalResourceKind::File => LocalResourceType::File,
            LocalResourceKind::Archive => LocalResourceType::Archive,
        },
        visibility: match resource.visibility {
            Visibility::Public => records::Visibility::Public,
            Visibility::Private => records::Visibility::Private,
            Visibility::Application => records::Visibility::Application,
        },
        pattern: None,
    })
}

/// YARN's records of all files of a launch context, by the names that [`links::name`] gives them. If `linked`
/// is true, files in directories get substitute names, too.
pub fn local_resources<'a>(
    resources: impl IntoIterator<Item = &'a LocalResource>,
    linked: bool,
) -> Result<BTreeMap<String, records::LocalResource>, BadResource> {
    let named =
        |resource: &LocalResource| Ok((links::name(&resource.key, linked), local_resource(resource)?));
    resources.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(key: &str, linked: bool) -> Result<Vec<String>, String> {
        let resource = LocalResource {
            key: key.to_owned(),
            url: "hdfs://nn:8020/store/a".to_owned(),
            size: 1,
            modification_time: 1,
            visibility: Visibility::Public,
            kind: LocalResourceKind::File,
        };
        local_resources([&resource], linked).map(|all| all.into_keys().collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn no_file_gets_a_place_outside_of_the_container() {
        for key in ["../x", "/etc/x", "lib/../../x", "..", "", "lib//x", "lib/", "./x", "lib/./x"] {
            for linked in [false, true] {
                let error = named(key, linked).unwrap_err();
                assert!(error.contains("no path below the container's directory"), "{key}: {error}");
            }
        }
        for key in ["x", "lib/x", "a..b", "..x/y", ".hidden/x", "a b/c"] {
            assert!(named(key, false).is_ok() && named(key, true).is_ok(), "{key}");
        }
    }
}
