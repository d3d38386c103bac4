//! Turns heddle's description of a container's files into YARN's records of local resources. The client needs
//! them for the submission, and the ApplicationMaster for the containers that it starts. Does no I/O.

use std::collections::BTreeMap;

use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use taskrunner::links;
use yarn_api::records::{self, LocalResourceType, ParseUrlError};

/// A local resource with a URL that cannot be parsed, so that YARN cannot be told where the file is.
#[derive(Debug, thiserror::Error)]
#[error("local resource '{key}': {source}")]
pub struct BadResource {
    /// The path in the container's working directory.
    pub key: String,
    /// Why the URL cannot be parsed.
    pub source: ParseUrlError,
}

/// YARN's record of a local resource.
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
