"""Check responses at each position: cached responses are current, and responses as of a position are correct."""

from collections.abc import Iterable
from pathlib import Path

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.feature import DependencyRule
from ledgerpress.grapheme_clusters import cut
from ledgerpress.graphql.errors import INTERNAL_SERVER_ERROR
from ledgerpress.graphql.executor import Executor
from ledgerpress.testing.contract_violation import differences
from ledgerpress.testing.definition import Definition
from ledgerpress.testing.probes import CLIENTS, Probe, QueryProbe
from ledgerpress.testing.recording import Recording, Replay, record, replayed
from ledgerpress.testing.store_client import Answer
from ledgerpress.views.cache_invalidation import invalidated_topics
from ledgerpress.views.snapshot_and_cache_dependencies import CacheDependencies, Topic


async def check_cache(definition: Definition, directory: Path, log: str) -> None:
    """The response cache is never stale, not even by one event.

    A store follows the log event by event. Each probe runs before each event, so that its response is cached. After the
    event, the response through the cache must equal a newly computed response.
    """
    recording = await record(definition, directory, log)
    probes = definition.probes(recording.values)
    async with replayed(recording, directory / "replayed", recording.first_position) as replay:
        for position in range(recording.first_position, len(recording.events) + 1):
            await replay.advance(position)
            for probe in probes:
                for client, identity in CLIENTS.items():
                    cached = await probe.ask(replay.client, identity)
                    computed = await probe.ask(replay.client, identity, cached=False)
                    check_answer(recording, probe, client, computed, position)
                    if cached != computed:
                        await _raise_stale(replay, probe, client, cached, computed, position)


async def check_past(definition: Definition, directory: Path, log: str) -> None:
    """For each position, a response as of the position equals the response of a store whose log ends there."""
    recording = await record(definition, directory, log)
    probes = [probe for probe in definition.query_probes(recording.values) if probe.as_of is not None]
    if not probes and any(field.type == "Query" for field in definition.added_fields()):
        raise definition.violation(
            "no query of the contract can run as of a position: each has a root field without the argument asOf.",
            todo="give the root fields of the feature `as_of: AsOf | None = None`, and read from "
            "moment_of(info.context, as_of).",
        )
    end = len(recording.events)
    async with (
        replayed(recording, directory / "whole", end) as complete,
        replayed(recording, directory / "stopped", recording.first_position) as prefix,
    ):
        for position in range(recording.first_position, end + 1):
            await prefix.advance(position)
            for probe in probes:
                # Both with asOf, since objects as of a moment have other ids than current objects.
                expected = await probe.ask_as_of(prefix.client, LOCAL_OPERATOR, position)
                past = await probe.ask_as_of(complete.client, LOCAL_OPERATOR, position)
                check_answer(recording, probe, "operator", past, position)
                if past.data == expected.data:
                    continue
                path, past_value, expected_value = next(differences(past.data, expected.data))
                raise definition.violation(
                    f"a response as of position {position} differs from the response of a store whose log ends there.",
                    probe=probe.name,
                    position=position,
                    event=recording.type_at(position),
                    details=[
                        f"{path}: {past_value!r} as of the position, but {expected_value!r} in the other store"
                    ],
                    todo="let resolvers read only from moment.snapshot, and only rows that are valid at "
                    "snapshot.position. A row that changes needs columns for the positions between which it is valid.",
                )


def check_answer(recording: Recording, probe: Probe, client: str, answer: Answer, position: int) -> None:
    """Raise `ContractViolation` for a server error.

    At the end of the scenario, any error for the operator is a violation. Before, a query may name objects that do not
    exist yet.
    """
    must_have_no_error = client == "operator" and position == len(recording.events)
    failed = answer.status >= 500 or any(
        must_have_no_error or error.get("extensions", {}).get("code") == INTERNAL_SERVER_ERROR
        for error in answer.errors
    )
    if failed:
        raise recording.definition.violation(
            "a probe fails.",
            probe=probe.name,
            client=client,
            position=position,
            event=recording.type_at(position),
            details=[f"status {answer.status}: {answer.errors or cut(str(answer.body), 300)}"],
            todo="correct the query, or let the resolver return null or an empty list for missing data. The traceback "
            "is in the logging above.",
        )


async def _raise_stale(
    replay: Replay, probe: Probe, client: str, cached: Answer, computed: Answer, position: int
) -> None:
    """Raise the violation for a stale response, with the topics of the response and of the event."""
    recording, definition = replay.recording, replay.recording.definition
    type_ = recording.type_at(position)
    path, old, new = next(differences(cached.body, computed.body), ("position", cached, computed))
    details = [f"{path}: cached {old!r}, current {new!r}"]
    if isinstance(probe, QueryProbe):
        details += await _topics(replay, probe, CLIENTS[client], position)
    rules = [
        feature.name for feature in definition.feature_set.features if _covers(feature.dependencies, type_)
    ]
    raise definition.violation(
        "a cached response is stale.",
        feature=definition.names if len(definition.features) == 1 else definition.feature_of_event(type_),
        probe=probe.name,
        client=client,
        position=position,
        event=type_,
        details=details,
        todo=f"no DependencyRule of {definition.names} covers what {type_} changes in this response (rules of "
        f"{', '.join(rules) or 'no feature'} cover the type). Let a rule return a topic that the response depends on, "
        "or name another topic in snapshot.about(…).",
    )


async def _topics(replay: Replay, probe: QueryProbe, identity: Identity, position: int) -> list[str]:
    """Return the topics that a response depended on before an event, and the topics that the event invalidates."""
    recording, reads = replay.recording, CacheDependencies()
    before = recording.data.with_name(f"before-{position}")
    async with replayed(recording, before, position - 1) as former:
        executor = Executor(recording.definition.schema)
        operation = await executor.documents.resolve(probe.document, None)
        await executor.execute(
            former.client.store, operation, variables=probe.variables, identity=identity, reads=reads
        )
    store = replay.client.store
    with store.snapshot() as snapshot:
        invalidated = invalidated_topics(snapshot, position - 1, store.declared)
    return [
        f"the cached response depended on {_named(reads.topics)}",
        f"the event invalidates {'everything' if invalidated is None else _named(invalidated)}",
    ]


def _named(topics: Iterable[Topic]) -> str:
    return ", ".join(sorted(f"Topic({topic.kind!r}, {topic.key!r})" for topic in topics)) or "no topic"


def _covers(rules: Iterable[DependencyRule], type: str) -> bool:
    return any(type in rule.events for rule in rules)
