"""Pins names that operators, clients and other programs see or configure.

Files, NATS subjects, PostgreSQL objects, settings, metrics, error codes: `docs/reference/stored-names.md` lists them.
GraphQL's names are pinned by `schema/schema.graphql` (`scripts/schema --check`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

import ledgerpress
from ledgerpress.adapters.jetstream import head_and_pause_broadcast, stream_config
from ledgerpress.adapters.jetstream.message_codec import body_of
from ledgerpress.adapters.jetstream.subject_names import SubjectNames
from ledgerpress.cli import app
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.eventlog.cloud_events import to_line
from ledgerpress.eventlog.envelope import StoredEvent
from ledgerpress.eventlog.merkle import TreeHead
from ledgerpress.features.page_import.report import Action, Kind
from ledgerpress.features.registry import FEATURES
from ledgerpress.graphql.relay import global_ids
from ledgerpress.http.middleware.access_log import LOGGER
from ledgerpress.http.middleware.telemetry import correlation_id
from ledgerpress.server.data_directory import LOG_FILE, NODE_FILE, TEMPORARY, NodeRecord
from ledgerpress.server.settings.introspection import declared
from ledgerpress.server.store import open_store
from ledgerpress.views.files.copy_format import Manifest, RowsDigest
from ledgerpress.views.files.views_pointers import ViewsPointer, ViewsPointers
from ledgerpress.views.listings.queries import ListingKey
from ledgerpress.views.paging import encode_cursor
from tests.contract.sample_events import sample_event
from tests.contract.test_event_schemas import stored
from tests.integration.production_application import OPERATOR, operated

ID: Final = "00000000-0000-8000-8000-00000000000a"
SOURCE: Final = Path(ledgerpress.__file__).parent

SETTINGS: Final = {
    "server": """
        host port unix_socket workers worker_hang_seconds root_path base_url templates stylesheet data log allow_unsynced log_wait_seconds max_clock_jump_seconds
        max_clock_ahead_days allowed_hosts trusted_proxies
        max_head_bytes head_seconds max_connections max_unfinished_bodies open_past public_history translations
        stop_delay_seconds stop_seconds
    """,
    "access": """
        anonymous_role oidc_issuer oidc_audience oidc_jwks_url oidc_jwks_file oidc_algorithms
        oidc_role_claim oidc_scope_claim oidc_leeway_seconds oidc_jwks_seconds
        oidc_jwks_pause_seconds oidc_jwks_timeout_seconds
    """,
    "http": """
        graphiql legacy_json unprocessable_status partial_status require_preflight
        max_body_bytes max_query_string_bytes max_json_depth body_seconds trusted_documents
        only_trusted_documents automatic_persisted_documents max_persisted_document_bytes
        max_persisted_bytes min_position_seconds public_max_age max_concurrent_requests
        requests_per_second anonymous_requests_per_second burst_seconds max_rate_limited_clients
    """,
    "limits": """
        document_bytes tokens name_length operations depth selections root_fields aliases
        repeated_selections fragments directives directives_in_place arguments page_size
        list_length variables_depth variables_values field_cost type_cost bulk_commands bulk_values bulk_cost
        tell_cost seconds
        introspection suggestions
    """,
    "cache": """
        max_bytes
    """,
    "live": """
        max_subscriptions max_operations max_message_bytes init_seconds keep_alive_seconds
        send_seconds max_lag kept_bytes recheck_seconds clock_seconds reservation_seconds
        max_reservations allowed_origins
    """,
    "health": """
        lag_events lag_seconds details
    """,
    "metrics": """
        enabled public port host
    """,
    "logs": """
        format level access
    """,
    "tracing": """
        exporter endpoint otlp_headers sample_ratio service_name
    """,
    "cors": """
        origins request_headers exposed_headers preflight_seconds
    """,
    "headers": """
        hsts_seconds hsts_subdomains cross_origin_resource_policy
    """,
}

METRICS: Final = """
    ledgerpress_answers_kept_bytes{}
    ledgerpress_answers_total{kind}
    ledgerpress_clock_rejected{}
    ledgerpress_events_appended_total{}
    ledgerpress_info{version}
    ledgerpress_lag_events{}
    ledgerpress_lag_seconds{}
    ledgerpress_log_append_groups_total{}
    ledgerpress_log_appends_resolved_total{}
    ledgerpress_log_appends_unresolved_total{}
    ledgerpress_log_failing{operation}
    ledgerpress_log_failures_total{operation}
    ledgerpress_log_head{}
    ledgerpress_log_reachable{}
    ledgerpress_log_reconnects_total{}
    ledgerpress_log_regained_total{}
    ledgerpress_log_silence_seconds{}
    ledgerpress_projection_checkpoint{projection}
    ledgerpress_projection_lag_events{projection}
    ledgerpress_projection_lag_seconds{projection}
    ledgerpress_projection_paused{projection}
    ledgerpress_request_duration_seconds_bucket{kind,le}
    ledgerpress_request_duration_seconds_count{kind}
    ledgerpress_request_duration_seconds_sum{kind}
    ledgerpress_requests_total{kind,status}
    ledgerpress_subscriptions{kind}
    ledgerpress_views_damaged_total{}
    ledgerpress_views_info{file}
    ledgerpress_views_readable{}
    ledgerpress_views_since_seconds{}
    ledgerpress_views_writable{}
"""


COMMAND_LINE: Final = """
    blame SLUG --data --json --log --no-pager --version
    clock confirm --data --log --reason --yes -y
    clock correct --ahead --behind --data --from --log --preview --reason --time --to --undo --yes -y
    clock show --data --json --log
    demo --data --log
    diff SLUG OLD NEW --data --json --log --no-pager --unified -u
    erase person PERSON_ID --also --data --log --preview --reason --yes -y
    erase post NAME --also --data --log --preview --reason --yes -y
    events export FILE --data --log
    events import FILE --data --head --log --without-end-record
    events show POSITION --data --log
    events tail --count --data --follow --json --log -f -n
    head --data --json --log
    history SLUG --data --json --limit --log --no-pager -n
    import page FILE --data --day-first --dry-run --force --json --log --month-first --retrieved-at
    log backup FILE --data --log
    log copy SOURCE TARGET --data --json --keep-open
    log restore FILE --data --log
    projection resume NAME --data --log
    projection skip NAME --data --log --reason --yes -y
    rebuild --check --data --if-outdated --json --limit --log --projection
    schema --access --check --directory --installed
    serve --allow-unsynced --config --data --demo --host --log --open-past --port --profile --public-history --root-path --unix-socket --workers
    settings --config --json --profile --reference
    status --data --json --log
    token create NAME --actor --data --expires --json --log --reason --role --scope
    token list --data --json --log
    token revoke TOKEN_ID --data --log --reason --yes -y
    verify --data --head --json --log
    views drop --data --other-sets
    views list --data --json
    views restore FILE --data --log
    views rollback --data
    views snapshot FILE --data
    withdraw POSITION --data --log --reason --yes -y
"""


def sql_names(file: Path) -> set[str]:
    """Return the names of all tables, constraints, functions and triggers that a script creates."""
    kinds = "TABLE|TRIGGER|FUNCTION|SCHEMA|INDEX"
    return set(
        re.findall(rf"(?:CREATE (?:UNIQUE )?(?:{kinds})|CONSTRAINT) ([\w.]+)", file.read_text("utf-8"))
    )


def in_source(text: str) -> int:
    """Return how often the source of the program contains a text."""
    return sum(file.read_text("utf-8").count(text) for file in SOURCE.rglob("*.py"))


async def test_files_in_a_data_directory(tmp_path: Path) -> None:
    assert (LOG_FILE, NODE_FILE, TEMPORARY) == ("log.sqlite", "node.json", ".aside-")
    async with open_store(tmp_path / "data"):
        pass
    names = {file.name for file in (tmp_path / "data").iterdir() if not file.name.endswith(("-wal", "-shm"))}
    views = "views-dc5fdb10-1.sqlite"
    assert names == {"log.sqlite", views, "views.json", "views.lock", "views.build.lock"}
    assert (tmp_path / "data" / "views.json").read_bytes() == f'{{"current":"{views}"}}'.encode()
    in_use = ViewsPointer("a", "b", "c")
    assert msgspec.json.encode(in_use) == b'{"current":"a","former":"b","declined":"c"}'
    sets = ViewsPointers(None, {}).replaced("01234567", in_use).replaced("89abcdef", in_use)
    sets.write(tmp_path / "views.json")
    pointer = '"current":"a","former":"b","declined":"c"'
    assert (tmp_path / "views.json").read_text() == f'{{{pointer},"sets":{{"89abcdef":{{{pointer}}}}}}}'
    assert msgspec.json.encode(NodeRecord(ID)) == f'{{"publication":"{ID}"}}'.encode()


def test_first_line_of_a_views_copy() -> None:
    manifest = Manifest(1, ID, 7, "ab", "34636194", {"posts": 1}, 9, 11, {"posts": RowsDigest(7, "cd")})
    assert manifest.line().decode() == (
        f'{{"format":"ledgerpress-views","version":1,"publication":"{ID}","position":7,"leafHash":"ab",'
        '"madeBy":"34636194","projectors":{"posts":1},"size":9,"takenAt":11,'
        '"digests":{"posts":{"position":7,"sha256":"cd"}}}\n'
    )


def test_tree_head() -> None:
    head = msgspec.json.encode(TreeHead(1, ID, 7, "ab", None)).decode()
    assert head == f'{{"v":1,"publication":"{ID}","size":7,"root":"ab","recordedTime":null}}'


def test_line_of_an_exported_event() -> None:
    event = stored("site.named", 1)
    assert list(msgspec.json.decode(to_line(event))) == [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "position",
        "streamversion", "schemaversion", "actorid", "commandid", "correlationid", "envelopeversion",
        "payloadcommitment", "payloadencoding", "salt", "data",
    ]  # fmt: skip
    attributes = msgspec.json.decode(to_line(StoredEvent(event.header, None)))
    assert attributes["source"].startswith("urn:uuid:")
    assert attributes.keys() & {"data", "salt", "payloadencoding", "datacontenttype"} == set()


def test_names_in_nats() -> None:
    names = SubjectNames("daily")
    assert names.stream == "LEDGERPRESS_daily"
    assert names.subjects == "ledgerpress.log.daily.>"
    assert names.withdrawals == "ledgerpress.log.daily.*.w.*"
    assert names.leases_stream == "LEDGERPRESS_daily_LEASES"
    assert names.leases_subjects == "ledgerpress.lease.daily.*"
    assert names.lease("schedules") == "ledgerpress.lease.daily.schedules"
    assert names.head_broadcast == "ledgerpress.bell.daily"
    assert (head_and_pause_broadcast.PAUSE, head_and_pause_broadcast.RESUME) == (b"hush", b"go on")
    assert stream_config.PUBLICATION == "ledgerpress.publication"
    assert stream_config.FORMAT_KEY == "ledgerpress.format"
    assert stream_config.UNFINISHED == "ledgerpress.being-made"
    assert names.subject(f"post.{ID}") == f"ledgerpress.log.daily.post_{ID}.e"
    assert names.guarded(f"post.{ID}") == f"ledgerpress.log.daily.post_{ID}.>"
    assert names.subject(f"withdrawal.{ID}", "site") == f"ledgerpress.log.daily.site.w.{ID}"


def test_message_in_nats() -> None:
    body = msgspec.msgpack.decode(body_of(sample_event("x"), 4, 2, None))
    assert body[:4] == [1, 1, 2, 4]
    assert (body[5], body[14], body[15]) == ("post.edited", "json", b'{"data":{}}')
    assert len(body) == 18


def test_names_in_postgresql() -> None:
    (file,) = [path for path in SOURCE.rglob("*.sql") if "CREATE SCHEMA" in path.read_text("utf-8")]
    assert sql_names(file) == {
        "ledgerpress", "ledgerpress.log_head", "ledgerpress.event", "event_is_recorded_once",
        "event_has_a_version_of_its_own", "ledgerpress.lease", "ledgerpress.event_comes_next",
        "event_comes_next", "ledgerpress.event_stays", "event_stays", "events_stay",
        "ledgerpress.event_is_only_withdrawn", "event_is_only_withdrawn", "ledgerpress.log_head_stays",
        "log_head_stays", "ledgerpress.copy_goes_whole", "copy_goes_whole", "log_heads_stay",
        "log_head_is_fixed",
    }  # fmt: skip
    # Processes of two versions must take the same locks, listen on the same channel, and have one name for operators.
    assert in_source("pg_advisory_lock(hashtext('ledgerpress.replica'), {log})") == 1
    assert in_source("pg_advisory_xact_lock(hashtext('ledgerpress.log_head'))") == 1
    assert in_source('= f"ledgerpress.{location.log}"') == 1
    assert in_source('"application_name": "ledgerpress"') == 1


def test_names_in_the_sqlite_log() -> None:
    (file,) = [path for path in SOURCE.rglob("*.sql") if "CREATE TABLE log_meta" in path.read_text("utf-8")]
    assert sql_names(file) == {
        "log_meta", "event", "event_comes_next", "event_continues_its_stream", "event_is_new", "event_stays",
        "event_is_only_withdrawn", "log_meta_is_one", "log_meta_is_fixed", "log_meta_stays",
    }  # fmt: skip


def test_global_ids_and_cursors() -> None:
    # The golden store pins the type names.
    assert global_ids.encode("Post", ID) == "UG9zdDowMDAwMDAwMC0wMDAwLTgwMDAtODAwMC0wMDAwMDAwMDAwMGE"
    assert encode_cursor(ListingKey(1_714_000_000_000_000, 28)) == "MTcxNDAwMDAwMDAwMDAwMCwyOA"
    assert encode_cursor(ListingKey(-1, 7)) == "LTEsNw"


def test_error_codes_of_commands() -> None:
    assert {*ErrorCode, *FEATURES.error_codes} == {
        "BLANK", "TOO_LONG", "INVALID_TEXT", "INVALID_VALUE", "INVALID_ID", "NOT_FOUND", "SLUG_MALFORMED",
        "SLUG_TAKEN", "VERSION_CONFLICT", "IDEMPOTENCY_KEY_REUSED", "POST_ARCHIVED", "POST_NOT_PUBLISHED",
        "PUBLISHED_AT_IN_FUTURE", "REVERT_CONFLICT", "CATEGORY_CYCLE", "CATEGORY_NOT_EMPTY",
        "CATEGORY_TOO_DEEP", "BUSY", "MUST_BE_FIRST", "TOO_MANY_EVENTS", "NOT_EXECUTED", "FORBIDDEN", "FAILED", "IDEMPOTENCY_KEY_UNVERIFIABLE", "VIEWS_PAUSED", "EVENT_UNREADABLE",
        "TOKEN_REVOKED", "CORRECTION_RETRACTED", "PASSAGE_NOT_FOUND", "REVISION_NOT_PUBLISHED",
        "CATEGORY_NOT_MERGED", "UNMERGE_CONFLICT", "NOTHING_TO_REVERT",
    }  # fmt: skip


def test_words_in_the_report_of_an_import() -> None:
    assert [kind.value for kind in Kind] == ["site", "category", "author", "article", "recent post"]
    assert [action.value for action in Action] == ["made", "completed", "unchanged", "kept"]


def test_correlation_id_of_a_trace_and_logger_of_requests() -> None:
    assert correlation_id("4bf92f3577b34da6a3ce929d0e0e4736") == "b7e23410-490e-8f9c-b1eb-004acb4d786c"
    assert LOGGER == "ledgerpress.access"


def test_settings_and_their_variables() -> None:
    names = [f"{section}.{field}" for section, fields in SETTINGS.items() for field in fields.split()]
    assert list(declared()) == names
    assert [setting.variable for setting in declared().values()] == [
        "LEDGERPRESS_" + name.removeprefix("server.").removeprefix("access.").replace(".", "_").upper()
        for name in names
    ]


def test_command_line() -> None:
    expected = {line.strip() for line in COMMAND_LINE.strip().splitlines()}
    assert set(command_lines(get_command(app), ())) == expected


def command_lines(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield each command with its arguments and options."""
    commands = (
        {name: command.get_command(None, name) for name in command.list_commands(None)}
        if hasattr(command, "list_commands")
        else {}
    )
    if not commands:
        arguments = [
            parameter.name.upper() for parameter in command.params if parameter.param_type_name == "argument"
        ]
        options = [
            name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
        ]
        common = {"--color", "--help", "-h"}
        assert common <= set(options)
        shown = sorted(name for name in options if name.startswith("-") and name not in common)
        yield " ".join((*path, *arguments, *shown))
    for name, subcommand in commands.items():
        yield from command_lines(subcommand, (*path, name))


async def test_metrics(tmp_path: Path) -> None:
    async with operated(tmp_path) as application:
        query = 'mutation { siteName(input: {name: "A"}) { position } }'
        assert (await application.post(query, OPERATOR)).status_code == 200
        assert (await application.post("{ site { name } }", OPERATOR)).status_code == 200
        text = (await application.http.get("/metrics", headers=OPERATOR)).text
    names = {
        sample.name + "{" + ",".join(sorted(sample.labels)) + "}"
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("ledgerpress_")
    }
    assert names == set(METRICS.split())
