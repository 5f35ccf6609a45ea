"""Follow the log: batches, checkpoints, skipped events, lag."""
