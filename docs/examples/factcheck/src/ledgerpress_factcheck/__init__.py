"""Fact checks: editors check the facts of posts. A post that failed its last check cannot be published."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress_factcheck import commands, model, projection

FEATURE: Final = Feature(
    name="factcheck",
    requires=("posts",),
    events=model.EVENTS,
    streams=(model.CHECKS,),
    permissions=(commands.CHECK,),
    commands=commands.COMMANDS,
    error_codes=(model.FAILED_CHECK,),
    guards=(commands.GUARD,),
    adds=(commands.ADDS,),
    inputs=(commands.INPUT,),
    projectors=(projection.PROJECTOR,),
    listings=(projection.LISTINGS.contribution,),
    dependencies=projection.DEPENDENCIES,
    schema="ledgerpress_factcheck.schema:SCHEMA",
    pages="ledgerpress_factcheck.pages:PAGES",
)
