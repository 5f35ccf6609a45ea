"""The error of a schema that cannot be built, in a module without slow imports."""


class SchemaError(Exception):
    """The contributions do not form a valid schema. `todo` contains advice for the author of the feature."""

    def __init__(self, message: str, *, todo: str = "correct the SchemaContribution.") -> None:
        super().__init__(message)
        self.todo = todo
