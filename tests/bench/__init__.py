"""heddle beside Flink's own client: `scripts/bench`."""
