"""The settings of the limits, with the defaults of the production profile."""

from typing import Annotated

import msgspec

from ledgerpress.views.paging import MAX_PAGE


class Limits(msgspec.Struct, kw_only=True, frozen=True):
    """What a request may ask for. What stands in fragments counts wherever they are spread."""

    document_bytes: Annotated[int, msgspec.Meta(ge=1, description="The length of a document in UTF-8.")] = (
        100_000
    )
    tokens: Annotated[
        int, msgspec.Meta(ge=1, description="Lexical tokens in a document; comments count apart.")
    ] = 2_000
    name_length: Annotated[
        int, msgspec.Meta(ge=1, description="The length of a name or a number in a document.")
    ] = 128
    operations: Annotated[int, msgspec.Meta(ge=1, description="Operations in a document.")] = 20
    depth: Annotated[int, msgspec.Meta(ge=1, description="How deep fields may be nested.")] = 15
    selections: Annotated[
        int, msgspec.Meta(ge=1, description="Fields, spreads and inline fragments of an operation.")
    ] = 1_000
    root_fields: Annotated[int, msgspec.Meta(ge=1, description="Root fields of an operation.")] = 20
    aliases: Annotated[int, msgspec.Meta(ge=0, description="Aliases in an operation.")] = 30
    repeated_selections: Annotated[
        int, msgspec.Meta(ge=0, description="Selections of an operation that stand in the same place again.")
    ] = 20
    fragments: Annotated[int, msgspec.Meta(ge=0, description="Fragments defined in a document.")] = 50
    directives: Annotated[int, msgspec.Meta(ge=0, description="Directives in an operation.")] = 50
    directives_in_place: Annotated[
        int, msgspec.Meta(ge=0, description="Directives at one place, such as a field.")
    ] = 5
    arguments: Annotated[
        int, msgspec.Meta(ge=1, description="Arguments of a field, fields of an object, variables declared.")
    ] = 50
    page_size: Annotated[
        int, msgspec.Meta(ge=1, le=MAX_PAGE, description="Entries of a page: the arguments first and last.")
    ] = MAX_PAGE
    list_length: Annotated[
        int, msgspec.Meta(ge=1, description="Entries of a list in an argument or a variable.")
    ] = 100
    variables_depth: Annotated[
        int, msgspec.Meta(ge=1, description="How deep lists and objects in variables may be nested.")
    ] = 10
    variables_values: Annotated[
        int, msgspec.Meta(ge=1, description="All values in the variables of a request.")
    ] = 1_000
    field_cost: Annotated[
        float,
        msgspec.Meta(
            ge=0, description="The field cost of an operation, by IBM's cost directives specification."
        ),
    ] = 5_000
    type_cost: Annotated[
        float, msgspec.Meta(ge=0, description="The type cost of an operation, by the same specification.")
    ] = 5_000
    tell_cost: Annotated[
        bool, msgspec.Meta(description="Whether answers tell what they cost, in extensions.cost.")
    ] = True
    seconds: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="How long a query may take, in seconds; null for no limit."),
    ] = 5.0
    introspection: Annotated[
        bool, msgspec.Meta(description="Whether __schema and __type may be asked for.")
    ] = False
    suggestions: Annotated[
        bool, msgspec.Meta(description="Whether an error may suggest a name of the schema.")
    ] = False

    @classmethod
    def development(cls) -> "Limits":
        """Return the limits of the development profile: roomy, with introspection and suggestions."""
        return cls(
            document_bytes=1_000_000,
            tokens=10_000,
            operations=500,
            arguments=500,
            depth=50,
            selections=10_000,
            root_fields=1_000,
            aliases=1_000,
            repeated_selections=1_000,
            fragments=200,
            directives=500,
            directives_in_place=50,
            list_length=1_000,
            variables_depth=50,
            variables_values=20_000,
            field_cost=1_000_000,
            type_cost=1_000_000,
            seconds=30.0,
            introspection=True,
            suggestions=True,
        )
