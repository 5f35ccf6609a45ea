"""Views files: open, build, compare, switch, copy, verify."""
