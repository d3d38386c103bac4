//! Makes the class data archives that later deployments use: in the background, and never at the price of the
//! job.
//!
//! The JobManager, and one TaskManager, write down which classes they load. Some seconds later a JVM of low
//! priority makes an archive of them, within the memory that the ApplicationMaster's container has left, or
//! in a container of its own where that is too little. The archive goes to heddle's store, where the next
//! client finds it. If something prevents it, a line in the log says so. The end of the ApplicationMaster
//! does not wait for it: the JVM dies with the process, YARN ends the other container, and an unfinished
//! upload lies in the application's directory.

mod build_container;
mod builder;
mod dump_jvm;
mod memory_budget;
pub mod remote_build;
mod repository;
pub(crate) mod service;
