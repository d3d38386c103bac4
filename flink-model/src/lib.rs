//! Pure: Flink's configuration files, memory model, launch specs, class path order.
//!
//! Nothing here does I/O, reads a clock or draws a random number.

pub mod spec;
