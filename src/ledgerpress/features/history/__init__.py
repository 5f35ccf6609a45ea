"""History: changes, differences between versions, blame."""
