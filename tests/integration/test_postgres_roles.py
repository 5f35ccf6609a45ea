"""The database rejects forbidden changes of a log, with the roles of the how-to page and with triggers."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ledgerpress.eventlog.errors import LogExists, LogUnusable
from ledgerpress.eventlog.lease_compare_and_set import LeaseRecord
from ledgerpress.eventlog.log import NO_STREAM, EventLog, StreamWrite
from ledgerpress.server.log_factory import open_copy_target, open_log
from ledgerpress.server.log_url import LogUrl
from scripts.engines.postgres import PostgresServer
from tests.contract.sample_events import sample_event
from tests.integration.postgres_appends import command, everything, open_at

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "postgresql.md"
DATABASE = "newsroom"
OWNER, NODE, SUPERUSER = "ledgerpress_owner", "ledgerpress_node", "postgres"

CHANGES = (
    "UPDATE ledgerpress.event SET payload = 'forged'",
    "UPDATE ledgerpress.event SET payload = NULL, salt = NULL WHERE position = 1",
    "UPDATE ledgerpress.event SET recorded_at = 1 WHERE position = 2",
    "UPDATE ledgerpress.event SET position = position + 10",
    "DELETE FROM ledgerpress.event WHERE position = 3",
    "DELETE FROM ledgerpress.event",
    "TRUNCATE ledgerpress.event",
    "TRUNCATE ledgerpress.log_head",
    "DELETE FROM ledgerpress.log_head",
    "UPDATE ledgerpress.log_head SET publication = gen_random_uuid()",
    "UPDATE ledgerpress.log_head SET name = 'other'",
    "UPDATE ledgerpress.log_head SET complete = false",
    "UPDATE ledgerpress.log_head SET note = 'x'",
)
COPY_OF_LAST = """
INSERT INTO ledgerpress.event SELECT log, {position}, v, gen_random_uuid(), {stream}, {version}, type, schema_version,
    recorded_at, actor_id, NULL, command_id, correlation_id, NULL, payload_commitment, encoding, payload, salt
FROM ledgerpress.event WHERE log = 1 AND position = 3
"""
INSERTS = [
    COPY_OF_LAST.format(position=position, stream=f"'{stream}'", version=version)
    for position, stream, version in [
        (5, "post.x", 1),
        (0, "post.x", 1),
        (3, "post.x", 1),
        (-4, "post.x", 1),
        (4, "post.x", 2),
        (4, "journal", 1),
        (4, "journal", 3),
        (4, "post.x", 0),
    ]
]
INSERTS.append(
    COPY_OF_LAST.format(position=1, stream="'post.x'", version=1).replace("SELECT log,", "SELECT 7,")
)
"""The last insert is for a log that does not exist."""


def statements_of_the_page() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        roles, _, _ = statements_of_the_page()
        for statement in roles.split(";\n"):
            if statement:
                server.sql(statement)
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def node_url(server: PostgresServer) -> str:
    return server.url("daily", user=NODE, database=DATABASE)


@pytest.fixture
async def log(server: PostgresServer, node_url: str) -> AsyncIterator[EventLog]:
    """The log as a node opens it. The owner creates it, with one command, for all tests of the module."""
    owner = await open_at(server.url("daily", user=OWNER, database=DATABASE))
    if await owner.head() == 0:
        _, grants, _ = statements_of_the_page()
        server.sql(grants, database=DATABASE, user=OWNER)
        await owner.append(command("first"))
    await owner.aclose()
    log = await open_log(LogUrl.parse(node_url), Path(), create_as=None)
    yield log
    await log.aclose()


async def test_a_node_can_append_read_wait_and_hold_leases(
    server: PostgresServer, node_url: str, log: EventLog
) -> None:
    owner = await open_at(server.url("weekly", user=OWNER, database=DATABASE))
    await owner.aclose()
    weekly = await open_log(LogUrl.parse(node_url.replace("daily", "weekly")), Path(), create_as=None)
    assert await weekly.append(command("first")) == 3
    assert [recorded.position for recorded in await weekly.read(1, 5)] == [2, 3]
    assert len(await weekly.read_stream("journal")) == 1
    assert await weekly.wait_beyond(2, 5)
    assert await weekly.leases.write("schedules", "node a", previous=0) == LeaseRecord(1, "node a")
    assert await weekly.leases.write("schedules", "node b", previous=1) == LeaseRecord(2, "node b")
    assert await weekly.leases.read("schedules") == LeaseRecord(2, "node b")
    await weekly.aclose()


@pytest.mark.parametrize("statement", [*CHANGES, "DROP TABLE ledgerpress.event", "DROP SCHEMA ledgerpress"])
async def test_a_node_cannot_change_recorded_events(
    log: EventLog, server: PostgresServer, statement: str
) -> None:
    before = await everything(log)
    with pytest.raises(RuntimeError, match=r"permission denied|must be owner|for ever"):
        server.sql(statement, user=NODE, database=DATABASE)
    assert await everything(log) == before


@pytest.mark.parametrize("user", [OWNER, SUPERUSER])
@pytest.mark.parametrize("statement", CHANGES)
async def test_owners_and_superusers_cannot_change_recorded_events(
    log: EventLog, server: PostgresServer, statement: str, user: str
) -> None:
    before = await everything(log)
    as_replica = "SET session_replication_role = replica;" if user == SUPERUSER else ""
    with pytest.raises(RuntimeError, match=r"is never|for ever"):
        server.sql(f"{as_replica} {statement}", user=user, database=DATABASE)
    assert await everything(log) == before


@pytest.mark.parametrize("user", [OWNER, NODE])
@pytest.mark.parametrize("statement", INSERTS)
async def test_an_event_can_only_be_inserted_after_the_last(
    log: EventLog, server: PostgresServer, statement: str, user: str
) -> None:
    before = await everything(log)
    with pytest.raises(
        RuntimeError, match=r"the last|last event|a log that there is|duplicate key|check constraint"
    ):
        server.sql(statement, user=user, database=DATABASE)
    assert await everything(log) == before
    assert await log.head() == 3


async def test_only_the_owner_can_withdraw(server: PostgresServer, log: EventLog) -> None:
    url = server.url("monthly", user=OWNER, database=DATABASE)
    owner = await open_at(url)
    await owner.append(command("first"))
    node = await open_log(LogUrl.parse(url.replace(OWNER, NODE)), Path(), create_as=None)
    (event,) = await owner.read(1, 1)
    record = StreamWrite(
        f"withdrawal.{event.header.event_id}",
        NO_STREAM,
        (sample_event(event_type="payload.withdrawn"),),
    )
    with pytest.raises(LogUnusable, match="role"):
        await node.withdraw(2, [record])
    assert await owner.head() == 3
    assert await owner.withdraw(2, [record]) == 4
    assert [recorded.payload is None for recorded in await node.read(0, 10)] == [False, True, False, False]
    assert await node.append(command("second")) == 7
    await node.aclose()
    await owner.aclose()


async def test_a_node_cannot_create_a_log(server: PostgresServer, log: EventLog) -> None:
    with pytest.raises(LogUnusable, match="the role that owns the tables"):
        await open_at(server.url("new", user=NODE, database=DATABASE))
    with pytest.raises(LogUnusable, match="has no permission"):
        await open_at(server.url("new", user=NODE, database="postgres"))


async def test_an_unfinished_copy_can_be_deleted_but_a_log_cannot(
    server: PostgresServer, log: EventLog
) -> None:
    url = LogUrl.parse(server.url("evening", user=OWNER, database=DATABASE))
    target = await open_copy_target(url, Path(), log.publication)
    await target.extend(await everything(log))
    await target.aclose()
    *_, deletion = statements_of_the_page()
    with pytest.raises(RuntimeError, match="are deleted before it"):
        server.sql("DELETE FROM ledgerpress.log_head WHERE name = 'evening'", user=OWNER, database=DATABASE)
    server.sql(deletion.replace("'daily'", "'evening'"), user=OWNER, database=DATABASE)
    with pytest.raises(LogUnusable, match="there is no log"):
        await open_log(url, Path(), create_as=None)
    server.sql(deletion, user=OWNER, database=DATABASE)
    assert await log.head() == 3
    with pytest.raises(LogExists):
        await open_copy_target(
            LogUrl.parse(server.url("daily", user=OWNER, database=DATABASE)), Path(), log.publication
        )
