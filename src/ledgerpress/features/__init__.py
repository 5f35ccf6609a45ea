"""The features of LedgerPress. Each folder owns one concept, from its events to its pages."""
