"""A pure parser of saved article pages."""
