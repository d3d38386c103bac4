// Changed by heddle: see HEDDLE.md.
pub(crate) mod block_reader;
pub(crate) mod block_writer;
pub(crate) mod connection;
#[cfg(test)]
pub(crate) mod fake_datanode;
pub(crate) mod protocol;
pub(crate) mod proxy;
pub(crate) mod replace_datanode;
