"""Applies the log to the views: batches, checkpoints, skipped events, lag."""
