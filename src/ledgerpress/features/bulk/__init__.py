"""Bulk requests: many commands in one request, executed together or individually."""

from typing import Final

from ledgerpress.feature import Feature

FEATURE: Final = Feature(
    name="bulk",
    error_codes=("NOT_EXECUTED", "FORBIDDEN", "FAILED"),
    schema="ledgerpress.features.bulk.schema:SCHEMA",
)
