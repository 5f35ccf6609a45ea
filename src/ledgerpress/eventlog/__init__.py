"""The event log: envelope, `EventLog` port, codec, catch-up subscriptions, leases and Merkle tree."""
