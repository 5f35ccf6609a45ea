"""LedgerPress: an event-sourced content store for newsrooms and blogs."""

__version__ = "0.1.0"
