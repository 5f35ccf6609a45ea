"""The event log in NATS JetStream: one stream of the server's a publication, one subject a stream of ours."""
