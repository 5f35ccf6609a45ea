"""The subject of a contract: its features, its scenario and its probes."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeAlias

from strawberry.schema.name_converter import NameConverter

from ledgerpress.eventlog.unknown_third_party_events import feature_of
from ledgerpress.feature import Feature, FeatureSet, InvalidFeature, load
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.graphql.feature_declarations import SchemaContribution
from ledgerpress.graphql.schema import Schema
from ledgerpress.graphql.schema_error import SchemaError
from ledgerpress.testing.contract_violation import ContractViolation
from ledgerpress.testing.probes import InvalidProbe, PageProbe, Probe, QueryProbe, page_probe, query_probe
from ledgerpress.testing.store_client import StoreClient

Scenario: TypeAlias = Callable[[StoreClient], Awaitable[Mapping[str, Any]]]
"""Runs commands and mutations, and returns values for the variables of queries and the paths of pages, by name."""


class AddedField(NamedTuple):
    """A field that a feature adds, with its coordinate, such as `Article.factChecks`."""

    feature: str
    type: str
    field: str

    @property
    def coordinate(self) -> str:
        return f"{self.type}.{self.field}"


class Definition:
    """The features of a contract, with the scenario, queries, pages and samples for its checks."""

    def __init__(
        self,
        features: Sequence[Feature],
        *,
        others: Sequence[Feature],
        scenario: Scenario,
        queries: Sequence[str],
        pages: Sequence[str],
        samples: Mapping[tuple[str, int], Mapping[str, Any]],
        unreached: Collection[str],
    ) -> None:
        """The parameters are those of `FeatureContract`."""
        self.features: Final = tuple(features)
        self.scenario: Final = scenario
        self.samples: Final = samples
        self.unreached: Final = frozenset(unreached)
        self._others = tuple(others)
        self._queries = tuple(queries)
        self._pages = tuple(pages)

    @property
    def names(self) -> str:
        """The names of the features, for messages."""
        return ", ".join(feature.name for feature in self.features)

    @property
    def third_party(self) -> tuple[Feature, ...]:
        """The features that LedgerPress does not ship."""
        return tuple(feature for feature in self.features if feature not in FIRST_PARTY)

    @cached_property
    def feature_set(self) -> FeatureSet:
        """The features of a process with the contract's features. Raises `ContractViolation` for invalid names."""
        try:
            return FeatureSet(FIRST_PARTY, third_party=[*self._others, *self.third_party])
        except InvalidFeature as error:
            todo = "correct the manifest. The rules are in docs/how-to/extend.md, “Names”."
            raise ContractViolation(str(error), feature=self.names, todo=todo) from error

    @cached_property
    def feature_set_without(self) -> FeatureSet:
        """The features of a process without the contract's features, but with those that they depend on."""
        return FeatureSet(FIRST_PARTY, third_party=self._others)

    @cached_property
    def schema(self) -> Schema:
        """The schema. Raises `ContractViolation` if it cannot be built, for example if a field has no permission."""
        try:
            return self.feature_set.graphql_schema()
        except (InvalidFeature, SchemaError) as error:
            cause = error if isinstance(error, SchemaError) else error.__cause__
            if isinstance(cause, SchemaError):
                raise ContractViolation(str(cause), feature=self.names, todo=cause.todo) from error
            todo = "correct the reference in the manifest, “module:attribute”."
            raise ContractViolation(str(error), feature=self.names, todo=todo) from error

    def contributions(self) -> dict[str, SchemaContribution]:
        """Return the schema contributions of the features, by the names of the features."""
        return {feature.name: load(feature.schema) for feature in self.features if feature.schema}

    def added_fields(self) -> list[AddedField]:
        """Return the root fields and the fields of other features' objects that the features add."""
        names = NameConverter()
        added_fields = []
        for feature, part in self.contributions().items():
            roots = (("Query", part.query), ("Mutation", part.mutation), ("Subscription", part.subscription))
            classes = [(name, class_) for name, class_ in roots if class_ is not None]
            for type_, added in part.extends.items():
                definition: Any = type_.__strawberry_definition__  # type: ignore[attr-defined]
                if not definition.is_input:
                    classes.append((names.from_type(definition), added))
            for name, class_ in classes:
                fields: Any = class_.__strawberry_definition__.fields  # type: ignore[attr-defined]
                added_fields += [AddedField(feature, name, names.from_field(field)) for field in fields]
        return added_fields

    def probes(self, values: Mapping[str, Any]) -> list[Probe]:
        """Return the probes with the values that the scenario returned. Raises `ContractViolation`."""
        return [*self.query_probes(values), *self.page_probes(values)]

    def query_probes(self, values: Mapping[str, Any]) -> list[QueryProbe]:
        probes = []
        for text in self._queries:
            try:
                probes.append(query_probe(text, values, self.schema._schema))
            except InvalidProbe as error:
                raise self.violation(
                    f"a query of the contract cannot be used: {error}.",
                    probe=" ".join(text.split()),
                    todo="correct the query or the values that the scenario returns.",
                ) from error
        return probes

    def page_probes(self, values: Mapping[str, Any]) -> list[PageProbe]:
        try:
            return [page_probe(path, values) for path in self._pages]
        except InvalidProbe as error:
            raise self.violation(
                f"a page of the contract cannot be used: {error}.",
                todo="correct the values that the scenario returns.",
            ) from error

    def feature_of_event(self, type: str) -> str:
        """Return the name of the feature of an event type; if it is unknown, the names of the contract's features."""
        for feature in self.feature_set.features:
            if any(event.name == type for event in feature.events):
                return feature.name
        return feature_of(type) or self.names

    def violation(self, problem: str, *, todo: str, **facts: Any) -> ContractViolation:
        """Return a violation. Without `feature` in `facts`, it names the features of the contract."""
        return ContractViolation(problem, todo=todo, **{"feature": self.names, **facts})
