"""The settings of the limits, with the defaults of the production profile."""

from typing import Annotated

import msgspec

from ledgerpress.views.paging import MAX_PAGE


class Limits(msgspec.Struct, kw_only=True, frozen=True):
    """The limits of a request. The content of a fragment counts each time that it is spread."""

    document_bytes: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum length of a document, in bytes of UTF-8.")
    ] = 100_000
    tokens: Annotated[
        int,
        msgspec.Meta(ge=1, description="Maximum number of lexical tokens in a document, and of comments."),
    ] = 2_000
    name_length: Annotated[
        int,
        msgspec.Meta(ge=1, description="Maximum length of a name or a number in a document, in characters."),
    ] = 128
    operations: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum number of operations in a document.")
    ] = 20
    depth: Annotated[int, msgspec.Meta(ge=1, description="Maximum nesting depth of fields.")] = 15
    selections: Annotated[
        int,
        msgspec.Meta(
            ge=1, description="Maximum number of fields, spreads and inline fragments in an operation."
        ),
    ] = 1_000
    root_fields: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum number of root fields of an operation.")
    ] = 20
    aliases: Annotated[int, msgspec.Meta(ge=0, description="Maximum number of aliases in an operation.")] = 30
    repeated_selections: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="Maximum number of repeated selections within the selection sets of an operation.",
        ),
    ] = 20
    fragments: Annotated[
        int, msgspec.Meta(ge=0, description="Maximum number of fragments that a document defines.")
    ] = 50
    directives: Annotated[
        int, msgspec.Meta(ge=0, description="Maximum number of directives in an operation.")
    ] = 50
    directives_in_place: Annotated[
        int, msgspec.Meta(ge=0, description="Maximum number of directives in one place, such as on a field.")
    ] = 5
    arguments: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Maximum number of arguments of a field, fields of an object, or variables declared.",
        ),
    ] = 50
    page_size: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=MAX_PAGE,
            description="Maximum number of entries of a page (the arguments first and last).",
        ),
    ] = MAX_PAGE
    list_length: Annotated[
        int,
        msgspec.Meta(ge=1, description="Maximum number of entries of a list in an argument or a variable."),
    ] = 100
    variables_depth: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum nesting depth of lists and objects in variables.")
    ] = 10
    variables_values: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum number of values in all variables of a request.")
    ] = 1_000
    field_cost: Annotated[
        float,
        msgspec.Meta(
            ge=0, description="Maximum field cost of an operation, by IBM's cost directives specification."
        ),
    ] = 5_000
    type_cost: Annotated[
        float, msgspec.Meta(ge=0, description="Maximum type cost of an operation, by the same specification.")
    ] = 5_000
    bulk_commands: Annotated[
        int, msgspec.Meta(ge=1, description="Maximum number of commands in a bulk request.")
    ] = 1_000
    bulk_values: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Maximum number of values in all variables of a bulk request, if `variables_values` is lower.",
        ),
    ] = 20_000
    bulk_cost: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            description="Maximum field cost, and maximum type cost, of a bulk request, if `field_cost` or `type_cost` is lower.",
        ),
    ] = 50_000
    tell_cost: Annotated[
        bool,
        msgspec.Meta(description="Whether responses contain the cost of the operation, in extensions.cost."),
    ] = True
    seconds: Annotated[
        Annotated[float, msgspec.Meta(gt=0)] | None,
        msgspec.Meta(description="Maximum duration of a query, in seconds; null for no limit."),
    ] = 5.0
    introspection: Annotated[
        bool, msgspec.Meta(description="Whether queries may request __schema and __type.")
    ] = False
    suggestions: Annotated[
        bool, msgspec.Meta(description="Whether errors may suggest names from the schema.")
    ] = False

    def for_bulk(self) -> "Limits":
        """Return the limits of a request with a list of commands."""
        return msgspec.structs.replace(
            self,
            list_length=max(self.list_length, self.bulk_commands),
            variables_values=max(self.variables_values, self.bulk_values),
            field_cost=max(self.field_cost, self.bulk_cost),
            type_cost=max(self.type_cost, self.bulk_cost),
        )

    @classmethod
    def development(cls) -> "Limits":
        """Return the limits of the development profile: high limits, with introspection and suggestions."""
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


class CacheSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The memory limit of the response cache."""

    max_bytes: Annotated[
        int,
        msgspec.Meta(
            ge=0, description="Memory for cached responses, in bytes, in each worker; 0 turns the cache off."
        ),
    ] = 64 * 2**20
