"""Asking again, while a connection is open, whether what was shown at its beginning is still good."""

import asyncio

from ledgerpress.application.access import Door, Identity, Unauthenticated
from ledgerpress.graphql.live.settings import LiveSettings


async def rechecked(door: Door, authorization: str, identity: Identity, settings: LiveSettings) -> str:
    """Return why `identity` may not be served any longer, as soon as that is found out."""
    while True:
        await asyncio.sleep(settings.recheck_seconds)
        try:
            now = await door.identify(authorization)
        except Unauthenticated as error:
            return str(error)
        if now.scope != identity.scope:
            return "Your permissions have changed: connect again."
