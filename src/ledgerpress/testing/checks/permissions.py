"""Check that fields and commands are denied to clients without the required permission."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    is_leaf_type,
)

from ledgerpress.commands.client_identity import ANONYMOUS, OPERATOR_ACTOR_ID, Identity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.roles_and_permissions import (
    PermissionDenied,
    RequiredPermission,
    Role,
    RolePermissions,
)
from ledgerpress.feature.lazy_references import WritingDeclarations
from ledgerpress.grapheme_clusters import cut
from ledgerpress.testing.definition import AddedField, Definition
from ledgerpress.testing.probes import CLIENTS
from ledgerpress.testing.recording import LiveRecording, recorded
from ledgerpress.testing.store_client import Answer

REFUSAL_TIMEOUT: Final = 5.0
"""Seconds within which a subscription must be denied. A subscription that is not denied would not end."""
_REFUSED: Final = frozenset({"UNAUTHENTICATED", "FORBIDDEN"})
_VALUES: Final[Mapping[str, Any]] = {
    "Int": 1,
    "Float": 1.0,
    "Boolean": True,
    "Position": 1,
    "DateTime": "2024-05-04T08:00:00Z",
}
"""A value of each scalar that does not accept arbitrary text."""


async def check_permissions(definition: Definition, directory: Path, log: str) -> None:
    """Root fields, added fields, fields of objects and commands are denied to clients without the permission.

    Two clients try each of them: an anonymous client, and a client with all permissions except the required one. Before
    that, the same response was cached for another client. Nothing is recorded.
    """
    async with recorded(definition, directory, log) as live:
        store = live.client.store
        head = await store.log.head()
        for field, need in _fields(definition):
            for client, identity in _without(need, definition.feature_set.roles).items():
                if field.type in {"Query", "Mutation", "Subscription"}:
                    await _check_root_field(live, field, need, client, identity)
                else:
                    await _check_field(live, field, need, client, identity)
        await _check_commands(live)
        if await store.log.head() != head:
            raise definition.violation(
                "something was recorded for a client without the permission.",
                todo="record events only in commands, and declare their permissions in `commands`.",
            )


def _fields(definition: Definition) -> Iterator[tuple[AddedField, RequiredPermission]]:
    """Yield the fields of the features that require a permission, with their requirements."""
    declared = definition.schema.declarations.permissions
    types = definition.schema._schema.type_map
    fields = definition.added_fields()
    for feature, part in definition.contributions().items():
        for name in part.objects:
            object_ = types[name]
            assert isinstance(object_, GraphQLObjectType)
            fields += [AddedField(feature, name, field) for field in object_.fields]
    for field in {field.coordinate: field for field in reversed(fields)}.values():
        if (need := declared.get(field.coordinate)) is not None:
            yield field, need


def _definition_of(definition: Definition, field: AddedField) -> GraphQLField:
    object_ = definition.schema._schema.type_map[field.type]
    assert isinstance(object_, GraphQLObjectType)
    declared: GraphQLField = object_.fields[field.field]
    return declared


def _without(need: RequiredPermission, roles: RolePermissions) -> dict[str, Identity]:
    """Return two clients that do not meet a requirement: an anonymous one, and one with all other permissions."""
    missing = {need.permission or min(roles.first_party), need.own}
    limited = Identity(Role.ADMIN, roles.every - missing, OPERATOR_ACTOR_ID)
    return {"anonymous": ANONYMOUS, f"a client with all permissions except {need.permission}": limited}


async def _check_root_field(
    live: LiveRecording, field: AddedField, need: RequiredPermission, client: str, identity: Identity
) -> None:
    document, variables = _operation(live.recording.definition, field)
    if field.type == "Query":
        await live.client.post(document, variables)  # caches the response for another client
    is_stream = field.type == "Subscription"
    try:
        async with asyncio.timeout(REFUSAL_TIMEOUT):
            answer = await live.client.post(
                document,
                variables,
                identity=identity,
                accept="text/event-stream" if is_stream else "application/json",
            )
    except TimeoutError:
        raise _granted(live, field, need, client) from None
    codes = {error.get("extensions", {}).get("code") for error in answer.errors}
    if not codes & _REFUSED and not (is_stream and any(code in str(answer.body) for code in _REFUSED)):
        raise _granted(live, field, need, client, answer)


async def _check_field(
    live: LiveRecording, field: AddedField, need: RequiredPermission, client: str, identity: Identity
) -> None:
    """Check a field of an object in the queries that read it."""
    definition = live.recording.definition
    is_reached = False
    for probe in definition.query_probes(live.recording.values):
        if field.coordinate not in probe.fields:
            continue
        operator_answer = await probe.ask(live.client, CLIENTS["operator"])
        if not any(value is not None for value in probe.values(field.coordinate, operator_answer)):
            continue
        is_reached = True
        answer = await probe.ask(live.client, identity)
        if any(value is not None for value in probe.values(field.coordinate, answer)):
            raise _granted(live, field, need, client, answer)
    if not is_reached and field.coordinate not in definition.unreached:
        raise definition.violation(
            f"no query of the contract gets a value of {field.coordinate}, which requires {need.permission}.",
            feature=field.feature,
            todo="let the scenario record data for this field, and a query read it.",
        )


async def _check_commands(live: LiveRecording) -> None:
    definition = live.recording.definition
    for feature in definition.features:
        for declared in WritingDeclarations.of(feature).commands:
            for client, identity in _without(declared.required, definition.feature_set.roles).items():
                # The permission is checked before any field of the command is used, so the command needs no fields.
                command: Any = object.__new__(declared.command)
                request = CommandRequest(actor_id=OPERATOR_ACTOR_ID, identity=identity)
                try:
                    await live.client.store.commands.handle(command, request)
                except PermissionDenied:
                    continue
                except (AttributeError, Rejection):
                    pass
                raise definition.violation(
                    f"the command {declared.command.__name__} runs without {declared.required.permission}.",
                    feature=feature.name,
                    client=client,
                    todo="declare its permission in `commands`.",
                )


def _granted(
    live: LiveRecording,
    field: AddedField,
    need: RequiredPermission,
    client: str,
    answer: Answer | None = None,
) -> Exception:
    return live.recording.definition.violation(
        f"{field.coordinate} requires {need.permission}, but is not denied to {client}.",
        feature=field.feature,
        details=[f"status {answer.status}: {cut(str(answer.body), 300)}"] if answer else (),
        todo="declare the permission in the SchemaContribution or for the command. LedgerPress checks it.",
    )


def _operation(definition: Definition, field: AddedField) -> tuple[str, dict[str, Any]]:
    """Return an operation with a root field, and variables with a value for each required argument."""
    declared = _definition_of(definition, field)
    variables, declarations, arguments = {}, [], []
    for name, argument in declared.args.items():
        is_needed = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
        if is_needed:
            variables[name] = _some_value(argument.type)
            declarations.append(f"${name}: {argument.type}")
            arguments.append(f"{name}: ${name}")
    head = f"({', '.join(declarations)})" if declarations else ""
    call_arguments = f"({', '.join(arguments)})" if arguments else ""
    selection = "" if is_leaf_type(get_named_type(declared.type)) else " { __typename }"
    return f"{field.type.lower()} {head} {{ {field.field}{call_arguments}{selection} }}", variables


def _some_value(type_: GraphQLInputType) -> Any:
    """Return a minimal value of an input type."""
    if isinstance(type_, GraphQLNonNull):
        return _some_value(type_.of_type)
    if isinstance(type_, GraphQLList):
        return []
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        fields = {
            name: field.type
            for name, field in type_.fields.items()
            if isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined
        }
        # An input without required fields may be a OneOf input, which needs exactly one field.
        needed = fields or {name: field.type for name, field in [*type_.fields.items()][:1]}
        return {name: _some_value(needed_type) for name, needed_type in needed.items()}
    return _VALUES.get(type_.name, "x")
