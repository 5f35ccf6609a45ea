"""The features of a process, merged."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from ledgerpress.commands.command_and_guard_declarations import CommandDeclarations
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.commands.executed_commands_view import CommandsProjector
from ledgerpress.commands.roles_and_permissions import RolePermissions
from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn
from ledgerpress.eventlog.kernel_events import LOG_EVENTS
from ledgerpress.eventlog.unknown_third_party_events import of_features_not_in
from ledgerpress.feature.lazy_references import (
    WritingDeclarations,
    load_section,
    require,
    with_loaded_declarations,
)
from ledgerpress.feature.manifest import Feature, InvalidFeature
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

THIRD_PARTY_SECTION: Final = "x_"
"""The beginning of the names of settings sections that features declare."""


class FeatureSet:
    """The features of a process, in an order in which each comes after the features that it requires."""

    def __init__(self, features: Sequence[Feature], *, third_party: Sequence[Feature] = ()) -> None:
        """Merge the manifests of `features`, which must be in order, and of `third_party`, which may be in any order.

        Raises `InvalidFeature` if features conflict, or if the manifest of a third-party feature breaks a rule.
        """
        if third_party:
            third_party = _checked(third_party)
        self.features = (*features, *_in_order(features, third_party))
        self.third_party = tuple(feature.name for feature in self.features[len(features) :])
        """The names of the third-party features."""
        known: set[str] = set()
        for feature in self.features:
            if feature.name in known:
                raise InvalidFeature(f"two features are named {feature.name}: rename one of them")
            if missing := set(feature.requires) - known:
                raise InvalidFeature(
                    f"feature {feature.name} requires {', '.join(sorted(missing))}, which must come before it"
                )
            known.add(feature.name)
        self.events = (*LOG_EVENTS, *self._all(lambda feature: feature.events))
        self.error_codes = self._all(lambda feature: feature.error_codes)
        self.first_events = self._all(lambda feature: feature.first_events)
        self.roles = RolePermissions(self._all(lambda feature: feature.permissions))
        """The permissions of the kernel and of the features, and the permissions of each role."""
        self.stream_prefixes = tuple(
            category.prefix for category in self._all(lambda feature: feature.streams)
        )
        """The prefixes of the streams that features declare."""
        _check_unique("event", [event.name for event in self.events])
        _check_unique("error code", (*ErrorCode, *self.error_codes))
        _check_unique("permission", self.roles.in_order)
        _check_unique("name of a permission", [permission.enum_name for permission in self.roles.in_order])
        if third_party:
            _ = self.declarations  # their commands may conflict with others

    @cached_property
    def declarations(self) -> CommandDeclarations:
        """The declarations of the features for commands. Raises `InvalidFeature` if two commands have the same name."""
        from ledgerpress.commands.confirm_and_correct_clock import CLOCK_COMMANDS  # noqa: PLC0415 - as for features
        from ledgerpress.commands.skip_event import LOG_COMMANDS  # noqa: PLC0415

        loaded = {feature.name: WritingDeclarations.of(feature) for feature in self.features}
        commands = [
            *LOG_COMMANDS,
            *CLOCK_COMMANDS,
            *(declared for of_feature in loaded.values() for declared in of_feature.commands),
        ]
        _check_unique("command", [declared.command.__name__ for declared in commands])
        return CommandDeclarations(
            commands={declared.command: declared for declared in commands},
            guards=tuple(guard for of_feature in loaded.values() for guard in of_feature.guards),
            adds=tuple(added for of_feature in loaded.values() for added in of_feature.adds),
            inputs=self._all(lambda feature: feature.inputs),
            content=self._all(lambda feature: feature.content),
            roles=self.roles,
            third_party={
                declared: name
                for name in self.third_party
                for declared in (
                    *(declared.command for declared in loaded[name].commands),
                    *loaded[name].adds,
                )
            },
            streams=self.stream_prefixes,
        )

    @cached_property
    def views(self) -> DeclaredViews:
        """The declarations of the features for the views."""
        return DeclaredViews.of(self.features, kernel=[CommandsProjector()])

    @property
    def projectors(self) -> tuple[Projector, ...]:
        """All projectors, sorted by name."""
        return self.views.projectors

    def codec(self) -> Codec[Event]:
        """Return a codec that reads every version of the events, and writes the newest.

        It skips events of third-party features that are not in this set.
        """
        return Codec(self.events, withdrawn, of_features_not_in(self.third_party))

    def graphql_schema(self, extensions: "Sequence[ExtensionFactory]" = ()) -> "Schema":
        """Return the GraphQL schema, with Strawberry extensions.

        Raises `SchemaError` if the contribution of a feature is invalid, or if an extension cannot take effect, and
        `InvalidFeature` if a contribution cannot be loaded.
        """
        with unchanged_exception_hooks():
            from ledgerpress.feature.schema_of_features import schema_of_features  # noqa: PLC0415 - slow to import
            from ledgerpress.graphql.feature_declarations import SchemaContribution  # noqa: PLC0415
            from ledgerpress.graphql.schema import build_schema  # noqa: PLC0415

        def build(parts: list[SchemaContribution]) -> "Schema":
            return build_schema(
                parts,
                commands=self.declarations.commands,
                error_codes=self.error_codes,
                event_types=[event.name for event in self.events],
                permissions=self.roles.contributed,
                extensions=extensions,
            )

        return schema_of_features(self._loaded("schema", SchemaContribution), self.third_party, build)

    def page_contributions(self) -> "list[PageContribution]":
        """Return the page contributions of the features.

        Raises `InvalidFeature` if a contribution cannot be loaded, or if a path of a third-party feature conflicts with
        another path.
        """
        from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution  # noqa: PLC0415

        loaded = self._loaded("pages", PageContribution)
        self._check_paths(loaded)
        return [part for _, part in loaded]

    def routes(self, context: Callable[[str], "RouteContext"]) -> "list[BaseRoute]":
        """Return the routes of the features. `context` returns the context for the feature with a name.

        Raises `InvalidFeature` if the function of a feature cannot be loaded or fails, or if a path of a third-party
        feature conflicts with another path.
        """
        from starlette.routing import BaseRoute  # noqa: PLC0415 - slow to import

        from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution  # noqa: PLC0415

        routes: list[tuple[str, BaseRoute]] = []
        for feature in self.features:
            if not feature.routes:
                continue
            function = load_section(feature, "routes")
            try:
                result = function(context(feature.name))
            except Exception as error:
                raise InvalidFeature(
                    f"feature {feature.name}: routes={feature.routes!r} failed: {type(error).__name__}: {error}"
                ) from error
            are_routes = isinstance(result, list | tuple) and all(
                isinstance(route, BaseRoute) for route in result
            )
            require(feature, "routes", are_routes, "a function that returns a list of Starlette's routes")
            routes += [(feature.name, route) for route in result]
        if routes:
            self._check_paths(self._loaded("pages", PageContribution), routes)
        return [route for _, route in routes]

    def settings(self) -> "dict[str, type[msgspec.Struct]]":
        """Return the settings sections that features declare, by section name. Raises `InvalidFeature`."""
        import msgspec  # noqa: PLC0415 - only for features with settings

        sections: dict[str, type[msgspec.Struct]] = {}
        for feature in self.features:
            if feature.settings:
                section = load_section(feature, "settings")
                is_section = isinstance(section, type) and issubclass(section, msgspec.Struct)
                is_section = is_section and len(section.__struct_defaults__) == len(section.__struct_fields__)
                require(feature, "settings", is_section, "a msgspec.Struct with a default for each field")
                sections[f"{THIRD_PARTY_SECTION}{feature.name}"] = section
        return sections

    def _check_paths(
        self,
        pages: "Sequence[tuple[Feature, PageContribution]]",
        routes: "Sequence[tuple[str, BaseRoute]]" = (),
    ) -> None:
        """Raise `InvalidFeature` if a path of a third-party feature is invalid or conflicts with another path."""
        from ledgerpress.http.feature_path_conflicts import page_routes, path_conflicts  # noqa: PLC0415

        routes_of_pages: list[tuple[str, BaseRoute]] = []
        for feature, part in pages:
            try:
                routes_of_pages += page_routes(feature.name, part)
            except (ValueError, AssertionError) as error:
                raise InvalidFeature(f"feature {feature.name}: {error}") from error
        if conflicts := list(path_conflicts([*routes_of_pages, *routes], self.third_party)):
            raise InvalidFeature("; ".join(conflicts))

    def _loaded(self, section: str, expected: type[T]) -> list[tuple[Feature, T]]:
        """Load a section of all features that have it; return each feature with the result. Raises `InvalidFeature`."""
        loaded: list[tuple[Feature, T]] = []
        for feature in self.features:
            if getattr(feature, section):
                part = load_section(feature, section)
                require(feature, section, isinstance(part, expected), f"a {expected.__name__}")
                loaded.append((feature, part))
        return loaded

    def _all(self, section: Callable[[Feature], Sequence[T]]) -> tuple[T, ...]:
        return tuple(item for feature in self.features for item in section(feature))


def _checked(third_party: Sequence[Feature]) -> list[Feature]:
    """Return the manifests of third-party features, loaded. Raises `InvalidFeature` if one breaks a rule."""
    from ledgerpress.feature.third_party_names import check_names  # noqa: PLC0415 - slow to import

    loaded = [with_loaded_declarations(feature) for feature in third_party]
    for feature in loaded:
        check_names(feature)
    return loaded


def _in_order(below: Sequence[Feature], features: Sequence[Feature]) -> list[Feature]:
    """Return `features` sorted by name, but each after the features that it requires. Raises `InvalidFeature`."""
    known, waiting = {feature.name for feature in below}, sorted(features, key=lambda feature: feature.name)
    ordered: list[Feature] = []
    while waiting:
        following = next((feature for feature in waiting if known.issuperset(feature.requires)), None)
        if following is None:
            missing = sorted(set(waiting[0].requires) - known)
            raise InvalidFeature(
                f"feature {waiting[0].name} requires {', '.join(missing)}: not installed, or a circular requirement"
            )
        waiting.remove(following)
        ordered.append(following)
        known.add(following.name)
    return ordered


def _check_unique(kind: str, names: Sequence[str]) -> None:
    if duplicates := sorted(name for name, count in Counter(names).items() if count > 1):
        raise InvalidFeature(f"two features declare the {kind} {', '.join(duplicates)}")
