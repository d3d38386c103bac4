//! The diagnosis of an application: from facts that many witnesses have told to one verdict about its state,
//! to the causes of its failure or its waiting, and to what to set.
//!
//! Nothing here asks a witness or reads a clock. Whoever uses the crate gathers [`facts::Facts`]; the rest is
//! computed. [`exits`] is the table of the numbers with which processes and containers end.
//!
//! ```
//! use diagnosis::facts::{ContainerEnd, Facts, Seen, Source};
//! use diagnosis::judge;
//!
//! let end = ContainerEnd {
//!     container: "container_1_0001_01_000002".into(),
//!     status: Some(-104),
//!     diagnostics: "Current usage: 6.2 GB of 6 GB physical memory used".into(),
//!     ..ContainerEnd::default()
//! };
//! let seen = Seen { source: Source::ApplicationMaster, at: Some(1_000), fact: end };
//! let facts = Facts { now: 2_000, ends: vec![seen], ..Facts::default() };
//! let found = judge(&facts);
//! assert_eq!(found[0].rule, "worker-over-physical-memory");
//! assert!(found[0].text.contains("(6.2 GB used, 6 GB allowed)"));
//! ```

pub mod classes;
mod cut;
pub mod exits;
pub mod facts;
mod finding;
mod items;
mod judge;
pub mod memory_use;
mod quote;
mod remedy;
mod rule;
pub mod rules;
pub mod trend;
pub mod usage;
mod verdict;
mod waits;
pub mod words;

pub use cut::cut;
pub use finding::{Evidence, Finding, Fix};
pub use judge::{judge, judge_all};
pub use rule::{Class, Confidence, Link, Remedy, Rule, Shape, Sign, Subject, Whose};
pub use verdict::{Standing, Verdict, Witness, verdict};
