"""The object types of the schema, one concept a module."""
