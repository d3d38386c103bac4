"""What the scenarios stand on: a real cluster, the clients under test, and eyes into YARN, HDFS, Flink and
/proc."""
