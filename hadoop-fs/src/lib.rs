//! The few file system operations that staging needs, over hdfs-native.
