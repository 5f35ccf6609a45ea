"""The error of a schema that cannot be built, apart from what is slow to import."""


class SchemaError(Exception):
    """The contributions do not make a valid schema. `todo` is what the author of a feature can do."""

    def __init__(self, message: str, *, todo: str = "correct the SchemaContribution.") -> None:
        super().__init__(message)
        self.todo = todo
