"""Opens, builds, compares, switches, copies and verifies views files."""
