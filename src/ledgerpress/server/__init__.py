"""The server: settings, wiring, process."""
