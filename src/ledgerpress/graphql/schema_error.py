"""The error of a schema that cannot be built, apart from what is slow to import."""


class SchemaError(Exception):
    """The contributions do not make a valid schema."""
