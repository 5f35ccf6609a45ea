"""The features of a process, merged."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from ledgerpress.commands.command_and_guard_declarations import CommandDeclarations
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.commands.roles_and_permissions import RolePermissions
from ledgerpress.commands.skip_event import LOG_COMMANDS
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.eventlog.kernel_events import LOG_EVENTS
from ledgerpress.eventlog.unknown_third_party_events import of_features_not_in
from ledgerpress.feature.manifest import Feature
from ledgerpress.feature.third_party_names import InvalidFeature, check_names
from ledgerpress.graphql.exception_hooks import unchanged_exception_hooks
from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.projection.projector_interface_and_composition import Projector

if TYPE_CHECKING:
    import msgspec
    from starlette.routing import BaseRoute

    from ledgerpress.graphql.schema import Schema
    from ledgerpress.graphql.schema_extensions import ExtensionFactory
    from ledgerpress.http.feature_routes import RouteContext
    from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

T = TypeVar("T")


def load(reference: str) -> Any:
    """Return the attribute that a lazy reference, "module:attribute", names."""
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)


class FeatureSet:
    """The features of a process in order: each one after those that it requires."""

    def __init__(self, features: Sequence[Feature], *, third_party: Sequence[Feature] = ()) -> None:
        """Merge the manifests of `features`, then of those of `third_party`, which may come in any order.

        Raises `InvalidFeature` if they contradict one another, or if the names in one of `third_party` break a rule.
        """
        for feature in third_party:
            check_names(feature)
        self.features = (*features, *_in_order(features, third_party))
        self.third_party = tuple(feature.name for feature in self.features[len(features) :])
        """The names of the third-party features."""
        known: set[str] = set()
        for feature in self.features:
            if feature.name in known:
                raise InvalidFeature(f"there are two features {feature.name}")
            if missing := set(feature.requires) - known:
                raise InvalidFeature(
                    f"feature {feature.name} requires {', '.join(sorted(missing))} before it"
                )
            known.add(feature.name)
        self.events = (*LOG_EVENTS, *self._all(lambda feature: feature.events))
        commands = (*LOG_COMMANDS, *self._all(lambda feature: feature.commands))
        self.error_codes = self._all(lambda feature: feature.error_codes)
        self.first_events = self._all(lambda feature: feature.first_events)
        self.declarations = CommandDeclarations(
            commands={declared.command: declared for declared in commands},
            guards=self._all(lambda feature: feature.guards),
            adds=self._all(lambda feature: feature.adds),
            inputs=self._all(lambda feature: feature.inputs),
            content=self._all(lambda feature: feature.content),
            roles=RolePermissions(self._all(lambda feature: feature.permissions)),
            third_party={
                declared: feature.name
                for feature in self.features[len(features) :]
                for declared in (*(one.command for one in feature.commands), *feature.adds)
            },
            streams=tuple(category.prefix for category in self._all(lambda feature: feature.streams)),
        )
        _check_unique("event", [event.name for event in self.events])
        _check_unique("command", [declared.command.__name__ for declared in commands])
        _check_unique("error code", (*ErrorCode, *self.error_codes))
        _check_unique("permission", self.roles.in_order)
        _check_unique("name of a permission", [permission.enum_name for permission in self.roles.in_order])

    @property
    def roles(self) -> RolePermissions:
        """The permissions of the kernel and of the features, and those that come with each role."""
        return self.declarations.roles

    @cached_property
    def views(self) -> DeclaredViews:
        """What the features declare for the views."""
        return DeclaredViews.of(self.features, kernel=[CommandsProjector()])

    @property
    def projectors(self) -> tuple[Projector, ...]:
        """Every projector, in the order of their names."""
        return self.views.projectors

    def codec(self) -> Codec[Event]:
        """Return a codec that reads every version of the events, and writes the newest.

        It passes over events of third-party features that are not among these.
        """
        return Codec(self.events, withdrawn, of_features_not_in(self.third_party))

    def graphql_schema(self, extensions: "Sequence[ExtensionFactory]" = ()) -> "Schema":
        """Return the GraphQL schema, with Strawberry extensions.

        Raises `InvalidFeature` if the contribution of a third-party feature is not complete, and `SchemaError` for
        another one or if an extension cannot take effect.
        """
        with unchanged_exception_hooks():
            from ledgerpress.graphql.feature_declarations import (  # noqa: PLC0415 - slow to import
                SchemaError,
            )

        try:
            return self._schema_with(len(self.features), extensions)
        except SchemaError as error:
            # It is the fault of the first feature with which the schema cannot be built.
            for count in range(len(self.features) - len(self.third_party), len(self.features) + 1):
                try:
                    self._schema_with(count, ())
                except SchemaError as first:
                    if (name := self.features[count - 1].name) in self.third_party:
                        raise InvalidFeature(f"feature {name}: {first} What to do: {first.todo}") from first
                    break
            raise error from None

    def _schema_with(self, count: int, extensions: "Sequence[ExtensionFactory]") -> "Schema":
        """Return the schema with the contributions of the first `count` features."""
        with unchanged_exception_hooks():
            from ledgerpress.graphql.schema import build_schema  # noqa: PLC0415 - slow to import

        return build_schema(
            [_load(feature, feature.schema) for feature in self.features[:count] if feature.schema],
            commands=self.declarations.commands,
            error_codes=self.error_codes,
            event_types=[event.name for event in self.events],
            permissions=self.roles.contributed,
            extensions=extensions,
        )

    def page_contributions(self) -> "list[PageContribution]":
        """Return what the features contribute to the pages."""
        return [_load(feature, feature.pages) for feature in self.features if feature.pages]

    def routes(self, context: Callable[[str], "RouteContext"]) -> "list[BaseRoute]":
        """Return the routes of the features. `context` returns what those of the feature of that name work with."""
        found: list[BaseRoute] = []
        for feature in self.features:
            if feature.routes:
                found += _load(feature, feature.routes)(context(feature.name))
        return found

    def settings(self) -> "dict[str, type[msgspec.Struct]]":
        """Return the sections of settings that features declare, by the section's name."""
        return {
            f"x_{feature.name}": _load(feature, feature.settings)
            for feature in self.features
            if feature.settings
        }

    def _all(self, section: Callable[[Feature], Sequence[T]]) -> tuple[T, ...]:
        return tuple(item for feature in self.features for item in section(feature))


def _load(feature: Feature, reference: str) -> Any:
    """Return what a lazy reference of a feature names. Raises `InvalidFeature` if there is no such thing."""
    try:
        return load(reference)
    except (AttributeError, ImportError) as error:
        message = f"feature {feature.name}: {reference} cannot be loaded: {type(error).__name__}: {error}"
        raise InvalidFeature(message) from error


def _in_order(below: Sequence[Feature], features: Sequence[Feature]) -> list[Feature]:
    """Return `features` by name, but each one after those that it requires. Raises `InvalidFeature`."""
    known, waiting = {feature.name for feature in below}, sorted(features, key=lambda feature: feature.name)
    ordered: list[Feature] = []
    while waiting:
        following = next((feature for feature in waiting if known.issuperset(feature.requires)), None)
        if following is None:
            missing = sorted(set(waiting[0].requires) - known)
            raise InvalidFeature(
                f"feature {waiting[0].name} requires {', '.join(missing)}: not installed, or required in a circle"
            )
        waiting.remove(following)
        ordered.append(following)
        known.add(following.name)
    return ordered


def _check_unique(what: str, names: Sequence[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise InvalidFeature(f"two features declare the {what} {', '.join(twice)}")
