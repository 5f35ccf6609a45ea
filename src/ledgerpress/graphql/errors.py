"""Errors of a client's making that are not answers to a command: they stand in the top-level `errors`."""

from graphql import GraphQLError


class BadRequest(GraphQLError):
    """An argument that makes no sense. The message is for the client and gives nothing away."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"code": "BAD_USER_INPUT"})
