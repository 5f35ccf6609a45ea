"""LedgerPress as a library: an open store in the caller's process. Users import its names from `ledgerpress` alone."""
