"""Tasks of an operator: verify, rebuild, back up, copy, withdraw, status."""
