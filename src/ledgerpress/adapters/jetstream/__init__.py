"""The event log in NATS JetStream: one server stream per publication, one subject per stream of events."""
