//! Shows what the processes of a running application use of their memory, beside what was planned for them
//! (`heddle memory --live`). The JobManager tells by its REST interface what the JVMs use, and the logs of
//! heddle-am and heddle-taskrunner tell what the processes use as a whole. Applications of Flink's own client
//! have no such logs, but everything else.

mod ask;
mod job_manager;
mod noted;

pub use ask::{LiveMemory, ask};
