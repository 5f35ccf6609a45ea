"""API tokens."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.tokens import model, projector_and_queries
from ledgerpress.views.feature_declarations import DependencyRule

FEATURE: Final = Feature(
    name="tokens",
    requires=("actors",),
    events=model.EVENTS,
    permissions=model.PERMISSIONS,
    commands=("ledgerpress.features.tokens.commands:COMMANDS",),
    guards=("ledgerpress.features.tokens.commands:GUARDS",),
    error_codes=model.ERROR_CODES,
    projectors=(projector_and_queries.PROJECTOR,),
    dependencies=(DependencyRule.by_type({"token.created": [], "token.revoked": []}),),
    schema="ledgerpress.features.tokens.schema:SCHEMA",
)
