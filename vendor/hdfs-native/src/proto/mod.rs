// Changed by heddle: see HEDDLE.md.
#[allow(clippy::all, dead_code)]
pub mod common {
    include!(concat!("hadoop.common.rs"));
}

#[allow(clippy::all, dead_code)]
pub mod hdfs {
    include!(concat!("hadoop.hdfs.rs"));
}
