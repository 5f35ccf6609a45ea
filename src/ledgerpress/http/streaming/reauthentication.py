"""Identify the client of an open connection repeatedly, and end the connection when its token becomes invalid."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import Scope

from ledgerpress.commands.roles_and_permissions import Authenticator, Identity, Unauthenticated
from ledgerpress.graphql.subscriptions.settings import SubscriptionSettings
from ledgerpress.http.streaming.event_stream import EventStream


async def reauthenticate(
    authenticator: Authenticator, authorization: str, identity: Identity, settings: SubscriptionSettings
) -> str:
    """Return why `identity` is not valid any more, as soon as that is known."""
    while True:
        await asyncio.sleep(settings.recheck_seconds)
        try:
            now = await authenticator.identify(authorization)
        except Unauthenticated as error:
            return str(error)
        if now.scope != identity.scope:
            return "Your permissions have changed: connect again."


def end_when_invalid(
    stream: EventStream,
    authenticator: Authenticator,
    scope: Scope,
    identity: Identity,
    settings: SubscriptionSettings,
) -> asyncio.Task[None]:
    """Start to watch the token of a stream. The caller cancels the task when the stream has ended."""

    async def watch() -> None:
        authorization = Headers(scope=scope).get("authorization")
        if authorization is not None:
            reason = await reauthenticate(authenticator, authorization, identity, settings)
            try:
                await stream.errors("", [{"message": reason, "extensions": {"code": "UNAUTHENTICATED"}}])
            finally:  # also where the client does not take the message
                stream.end()

    return asyncio.create_task(watch(), name="token of an event stream")
