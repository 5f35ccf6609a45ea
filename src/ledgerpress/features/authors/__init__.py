"""Authors: the names in the byline."""
