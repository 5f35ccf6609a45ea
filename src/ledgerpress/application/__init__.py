"""What users of the store can do: each use case loads streams, decides, appends, and waits for the views."""
