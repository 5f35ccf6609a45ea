"""What LedgerPress costs as a publication grows: measured constants, a model of them, and the figures drawn from it."""
