"""What the schema's fields cost, by IBM's GraphQL Cost Directives Specification: one table, printed in the schema.

Where the table says nothing, the specification's own weights hold: 1 for objects, for fields that give one and for
arguments that take one, 0 for scalars and enums. A list has the size that the table assumes, or else `ASSUMED_SIZE`.
"""

from collections.abc import Mapping
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_nullable_type,
    is_leaf_type,
)
from graphql import get_named_type as named_type
from strawberry.schema_directive import Location

from ledgerpress.views.paging import DEFAULT_PAGE

ASSUMED_SIZE: Final = 10
_SIZED: Final = frozenset(("edges", "nodes"))
MUTATION_WEIGHT: Final = 10.0

WEIGHTS: Final[Mapping[str, float]] = {
    # Each renders the Markdown, unless that was done a moment ago.
    **{f"Body.{name}": 5.0 for name in ("html", "text", "sections", "wordCount", "readingMinutes")},
    "Article.teaser": 1.0,
    "Article.teaserIsCut": 1.0,
    "Article.previousSlugs": 1.0,
    "Category.articleCount": 1.0,
    # These read events from the log.
    **{f"Change.{name}": 1.0 for name in ("actor", "before", "after", "event", "changedFields", "reason")},
    "Post.diff": 25.0,
    "Post.blame": 100.0,
    "Query.projections": 10.0,
    "*.totalCount": 2.0,
}
"""The weights of fields by `Type.field`; `*` is any type."""

SIZES: Final[Mapping[str, int]] = {
    "Article.authors": 5,
    "Article.categories": 5,
    "Article.corrections": 5,
    "Post.authors": 5,
    "Post.categories": 5,
    "Category.ancestors": 5,
    "Category.children": 20,
    "Body.sections": 20,
    "BodyDiff.spans": 100,
    "Post.blame": 100,
    "*.userErrors": 3,
}
"""The assumed sizes of lists of objects by `Type.field`; `*` is any type."""

LIST_ARGUMENTS: Final[Mapping[str, str]] = {"Query.nodes": "ids"}
"""Lists as long as a list that they are given. The specification knows numbers only; Apollo's takes lists, too."""


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
)
class Cost:
    """How much the answering of a field adds to the cost of an operation."""

    weight: str


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], name="listSize")
class ListSize:
    """How long a list is at most, or which arguments say so. An unset argument is not printed."""

    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True

    @classmethod
    def of(cls, **given: Any) -> "ListSize":
        """Return the directive with what is given, and nothing else in print."""
        return cls(**{"require_one_slicing_argument": strawberry.UNSET, **given})


def assign(schema: GraphQLSchema) -> None:
    """Put the directives on the fields of the schema: for printing, and for the analysis to read."""
    for named in schema.type_map.values():
        if not isinstance(named, GraphQLObjectType) or named.name.startswith("__"):
            continue
        for name, field in named.fields.items():
            directives: list[Cost | ListSize] = []
            weight = WEIGHTS.get(f"{named.name}.{name}", WEIGHTS.get(f"*.{name}"))
            if weight is None and named is schema.mutation_type:
                weight = MUTATION_WEIGHT
            if weight is not None:
                directives.append(Cost(weight=f"{weight:.1f}"))
            size = None if name in sized_fields_of(named) else _size(f"{named.name}.{name}", field)
            if size is not None:
                directives.append(size)
            definition = field.extensions.get("strawberry-definition")
            if definition is not None and directives:
                definition.directives = directives


def weight_of(field: GraphQLField) -> float:
    """Return the weight of a field: the one assigned, or the specification's."""
    for directive in _directives(field):
        if isinstance(directive, Cost):
            return float(directive.weight)
    return 0.0 if is_leaf_type(named_type(field.type)) else 1.0


def size_of(field: GraphQLField) -> ListSize | None:
    """Return what is said of the size of the list that a field gives, or of the lists in what it gives."""
    return next((one for one in _directives(field) if isinstance(one, ListSize)), None)


def sized_fields_of(named: GraphQLNamedType) -> frozenset[str]:
    """Return the fields of a type that give lists whose size the field above tells: those of a connection."""
    return _SIZED if named.name.endswith("Connection") else frozenset()


def _directives(field: GraphQLField) -> list[object]:
    definition = field.extensions.get("strawberry-definition")
    return list(definition.directives) if definition is not None else []


def _size(coordinate: str, field: GraphQLField) -> ListSize | None:
    slicing = [name for name in ("first", "last") if name in field.args]
    if slicing:
        # By section 9.2.4, a size is assumed only where no slicing argument has a default.
        has_default = any(isinstance(field.args[name].default_value, int) for name in slicing)
        return ListSize.of(
            assumed_size=strawberry.UNSET if has_default else DEFAULT_PAGE,
            slicing_arguments=slicing,
            sized_fields=sorted(_SIZED),
            require_one_slicing_argument=False,
        )
    if coordinate in LIST_ARGUMENTS:
        return ListSize.of(slicing_arguments=[LIST_ARGUMENTS[coordinate]])
    name = coordinate.partition(".")[2]
    is_list = isinstance(get_nullable_type(field.type), GraphQLList)
    if not is_list or is_leaf_type(named_type(field.type)):
        return None
    return ListSize.of(assumed_size=SIZES.get(coordinate, SIZES.get(f"*.{name}", ASSUMED_SIZE)))
