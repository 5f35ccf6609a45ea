"""Asking again, while a connection is open, whether what was shown at its beginning is still good."""

import asyncio

from ledgerpress.commands.identity import Authenticator, Identity, Unauthenticated
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings


async def reauthenticate(
    door: Authenticator, authorization: str, identity: Identity, settings: SubscriptionSettings
) -> str:
    """Return why `identity` may not be served any longer, as soon as that is found out."""
    while True:
        await asyncio.sleep(settings.recheck_seconds)
        try:
            now = await door.identify(authorization)
        except Unauthenticated as error:
            return str(error)
        if now.scope != identity.scope:
            return "Your permissions have changed: connect again."
