//! Hadoop RPC v9: framing, SASL, call map, credentials files, configuration. No YARN words.
