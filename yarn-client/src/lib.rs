//! The client: heddle, flink, yarn-session.sh; staging, deployment, Flink REST.
