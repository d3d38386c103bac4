//! The files of a container as YARN takes them, for the client's submission and for the containers that the
//! ApplicationMaster starts. Pure.

use std::collections::BTreeMap;

use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use taskrunner::links;
use yarn_api::records::{self, LocalResourceType, ParseUrlError};

/// A file whose place YARN cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("local resource '{key}': {source}")]
pub struct BadResource {
    /// Path in the container's working directory.
    pub key: String,
    /// What is wrong with its URL.
    pub source: ParseUrlError,
}

/// A file as YARN's own record.
pub fn local_resource(resource: &LocalResource) -> Result<records::LocalResource, BadResource> {
    let url = resource.url.parse();
    Ok(records::LocalResource {
        url: url.map_err(|source| BadResource { key: resource.key.clone(), source })?,
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

/// All files of a launch context. With `linked` each has the name that [`links`] gives it.
pub fn local_resources<'a>(
    resources: impl IntoIterator<Item = &'a LocalResource>,
    linked: bool,
) -> Result<BTreeMap<String, records::LocalResource>, BadResource> {
    let named =
        |resource: &LocalResource| Ok((links::name(&resource.key, linked), local_resource(resource)?));
    resources.into_iter().map(named).collect()
}
