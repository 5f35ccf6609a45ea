"""Relay's object identification: every object with an id can be queried by it."""

import strawberry


@strawberry.interface(description="An object with an id that names it for ever, in the whole publication.")
class Node:
    """An object with a global id."""

    id: strawberry.ID
