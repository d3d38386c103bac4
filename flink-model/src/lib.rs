//! Everything about Flink that can be computed without I/O: its configuration files, its memory model, the
//! order of class paths, and the specification of an application's containers.
//!
//! Nothing here reads a file or a clock, or draws a random number, so all of it can be tested with values
//! alone. This example goes through the crate:
//!
//! ```
//! use flink_model::class_path::ContainerFiles;
//! use flink_model::cluster_spec::{ClusterSpec, YarnLimits};
//! use flink_model::config::{ConfigFiles, Origin, SourceFile, load_files};
//! use flink_model::plan::{self, Surroundings};
//! use flink_model::release::Release;
//! use flink_model::spec::ClusterMode;
//! use flink_model::options;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let release = Release::from_dist_jar("flink-dist-1.20.1.jar").ok_or("no flink-dist jar")??;
//! // The caller reads the files.
//! let text = "jobmanager.memory.process.size: 1600m\ntaskmanager.memory.process.size: 1728m\n";
//! let standard = Some(SourceFile { path: "conf/config.yaml", text });
//! let loaded = load_files(release, &ConfigFiles { legacy: None, standard })?;
//! let mut conf = loaded.configuration; // and loaded.warnings to show
//! conf.set_dynamic("taskmanager.numberOfTaskSlots", "2"); // -D
//! conf.set("yarn.application.name", "test", Origin::Flag("-nm".into()));
//! let _warnings = options::check_keys(&conf);
//!
//! let cluster = ClusterSpec::from(&conf, release)?;
//! let (min_memory_mb, step_memory_mb) = (Some(1024), None);
//! let limits = YarnLimits { max_memory_mb: 8192, max_vcores: 4, min_memory_mb, step_memory_mb };
//! let notes = cluster.check(&limits).map_err(|errors| errors[0].clone())?;
//! assert_eq!(notes.len(), 2); // both sizes are rounded up
//!
//! let shipped = plan::shipped_configuration(&conf, release, Some("application_1_0001"))?;
//! let files = ContainerFiles {
//!     shipped: vec!["lib/flink-dist-1.20.1.jar".into()],
//!     bridge: Some("heddle/flink-bridge.jar".into()),
//!     ..ContainerFiles::default()
//! };
//! let around = Surroundings { files, ..Surroundings::default() };
//! let _jm = plan::job_manager_template(&shipped, release, ClusterMode::Session, &cluster, &around)?;
//! let _tm = plan::task_manager_template(&shipped, release, &around)?;
//! # Ok(())
//! # }
//! ```

pub mod class_data;
pub mod class_path;
pub mod cluster_spec;
pub mod config;
pub mod container;
pub mod flink_keys;
pub mod flink_variables;
mod java;
pub mod java_fit;
pub mod jvm_options;
pub mod local_resource;
pub mod memory;
pub mod memory_advice;
pub mod options;
pub mod plan;
pub mod ports;
pub mod release;
pub mod reporters;
pub mod spec;
pub mod ssl;
pub mod start_template;
pub mod units;
