"""Import of article pages that were saved as text."""
