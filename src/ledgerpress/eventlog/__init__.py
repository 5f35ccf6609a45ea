"""The log: the envelope of an event, expected versions, the `EventLog` port, the codec, the catch-up subscription."""
