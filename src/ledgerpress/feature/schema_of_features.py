"""The GraphQL schema of a set of features. Errors name the third-party features that cause them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations

from strawberry.schema.name_converter import NameConverter

from ledgerpress.feature.manifest import Feature
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.schema import Schema
from ledgerpress.graphql.schema_error import SchemaError

Build = Callable[[list[SchemaContribution]], Schema]


def schema_of_features(
    parts: Sequence[tuple[Feature, SchemaContribution]], third_party: Collection[str], build: Build
) -> Schema:
    """Return the GraphQL schema of first-party and third-party features.

    Raises `SchemaError` if the schema is invalid, or if a third-party feature declares a coordinate that it does not
    add.
    """
    ours = [part for feature, part in parts if feature.name not in third_party]
    others = [(feature, part) for feature, part in parts if feature.name in third_party]
    if not others:
        return build(ours)
    # An error in this schema is not caused by a third-party feature.
    first_party_schema = build(ours)
    for feature, part in others:
        owners = dict.fromkeys(first_party_schema.type_names, "ledgerpress")
        owners |= {name: other.name for other, its in others if other is not feature for name in its.objects}
        if foreign := list(_foreign(feature, part, owners)):
            raise SchemaError(f"feature {feature.name}: {'; '.join(foreign)}")
    try:
        return build([*ours, *(part for _, part in others)])
    except Exception as error:
        raise _explained(error, ours, others, build) from error


def _foreign(feature: Feature, part: SchemaContribution, owners: dict[str, str]) -> Iterator[str]:
    """Yield an error for each declaration about a field, type or event that is not the feature's own."""
    added = set(_added_fields(part))
    for section in ("permissions", "weights", "sizes", "list_arguments", "sized_fields"):
        for coordinate in getattr(part, section):
            type_ = coordinate.partition(".")[0]
            if (type_ in owners or type_ == "*") and coordinate not in added:
                yield f"{section} declares {coordinate}, a field that the feature does not add"
    for section in ("objects", "nodes"):
        for name in getattr(part, section):
            if name in owners:
                yield f"{section} declares {name}, which is a type of {owners[name]}"
    events = {event.name for event in (*feature.events, *(content.event for content in feature.content))}
    for name in part.events.keys() - events:
        yield f"events declares {name}, which is not an event of the feature"


def _added_fields(part: SchemaContribution) -> Iterator[str]:
    """Yield the coordinates of the root fields, and of the fields on types of others, that a contribution adds."""
    names = NameConverter()
    classes = [("Query", part.query), ("Mutation", part.mutation), ("Subscription", part.subscription)]
    for type_, added in part.extends.items():
        if (definition := getattr(type_, "__strawberry_definition__", None)) is not None:
            classes.append((names.from_type(definition), added))
    for name, class_ in classes:
        # A class without a definition is reported when the schema is built.
        for field in getattr(getattr(class_, "__strawberry_definition__", None), "fields", ()):
            yield f"{name}.{names.from_field(field)}"


def _explained(
    error: Exception,
    ours: Sequence[SchemaContribution],
    others: Sequence[tuple[Feature, SchemaContribution]],
    build: Build,
) -> SchemaError:
    """Return an error that names the feature that causes it, or the two features that conflict.

    It builds the schema with each feature alone, then with each pair, and returns the first failure.
    """
    names = [feature.name for feature, _ in others]
    for chosen in (*combinations(names, 1), *combinations(names, 2)):
        try:
            build([*ours, *_with_required(chosen, others)])
        except Exception as cause:  # noqa: BLE001 - a contribution is third-party code
            return _named(chosen, cause)
    return _named(names, error)


def _with_required(
    names: Collection[str], others: Sequence[tuple[Feature, SchemaContribution]]
) -> list[SchemaContribution]:
    """Return the contributions of the named features and of the features that they require, in order."""
    needed, chosen = set(names), list[SchemaContribution]()
    for feature, part in reversed(others):
        if feature.name in needed:
            needed.update(feature.requires)
            chosen.insert(0, part)
    return chosen


def _named(names: Sequence[str], error: Exception) -> SchemaError:
    prefix = f"{'feature' if len(names) == 1 else 'features'} {' and '.join(names)}"
    if isinstance(error, SchemaError):
        return SchemaError(f"{prefix}: {error}", todo=error.todo)
    return SchemaError(f"{prefix}: {type(error).__name__}: {error}")
