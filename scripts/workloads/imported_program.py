"""Imports what `ledgerpress serve` needs, with every engine and the GraphQL schema; `forked_servers` are its forks."""

import ledgerpress.adapters.jetstream.event_log
import ledgerpress.adapters.postgres.event_log
import ledgerpress.adapters.sqlite_log.event_log
import ledgerpress.cli
import ledgerpress.server.serving  # noqa: F401 - as the imports above, only for the forks
from ledgerpress.features.registry import installed_features

installed_features().graphql_schema()
