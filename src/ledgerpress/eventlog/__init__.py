"""The event log: the envelope of an event, the `EventLog` port, the codec, subscriptions, leases and the Merkle tree."""
