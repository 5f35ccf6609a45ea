"""The adapters: the implementations of the log for each storage engine. No adapter uses another."""
