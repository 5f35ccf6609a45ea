"""API tokens."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.tokens import commands, model

FEATURE: Final = Feature(
    name="tokens",
    requires=("actors",),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.tokens.schema:SCHEMA",
)
