"""Cases that are run with heddle and with Flink's own client, and compared: see docs/development.md."""
