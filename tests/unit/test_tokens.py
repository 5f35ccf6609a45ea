"""The deciders of API tokens."""

from dataclasses import replace
from functools import reduce
from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from ledgerpress.commands.command_request_and_context import Facts
from ledgerpress.commands.errors import ErrorCode
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.posts import READ_POSTS, WRITE_POSTS
from ledgerpress.features.tokens import model as tokens
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, TokenFacts
from ledgerpress.features.tokens.model import Token, TokenCreated, TokenRevoked
from tests.user_errors import refused

NOW: Final = 1_714_809_600_000_000
CREATED: Final = TokenCreated(
    token_id="t",
    actor_id="a",
    name="Feed",
    role="editor",
    scopes=("posts:read", "posts:write"),
    expires_at=NOW + 1,
    secret_hash="5e",
)
CREATE: Final = CreateToken(
    name=" Feed ",
    role=Role.EDITOR,
    scopes=(WRITE_POSTS, READ_POSTS, WRITE_POSTS),
    expires_at=NOW + 1,
    secret_hash="5e",
)
FACTS: Final = TokenFacts(now=NOW, new_id="t", actor_id="a")
REVOKE: Final = RevokeToken(token_id="t")
REVOKED: Final = TokenRevoked(token_id="t")


def token_of(*events: Event) -> Token | None:
    return reduce(tokens.evolve, events, None)


def withdrawn(kind: str) -> Withdrawn:
    return Withdrawn(type=kind, stream="token.t", recorded_at=0)


def test_a_token_is_created_once_and_revoked_once() -> None:
    assert CREATE.decide(None, FACTS) == (CREATED,)
    assert CREATE.decide(token_of(CREATED), FACTS) == ()
    assert CREATE.decide(token_of(withdrawn("token.created")), FACTS) == ()
    assert REVOKE.decide(token_of(CREATED), Facts()) == (REVOKED,)
    assert REVOKE.decide(token_of(CREATED, REVOKED), Facts()) == ()
    assert REVOKE.decide(None, Facts()) == ()


def test_a_token_can_have_no_scopes_and_no_expiry_time() -> None:
    (created,) = replace(CREATE, scopes=None, expires_at=None).decide(None, FACTS)
    assert isinstance(created, TokenCreated)
    assert (created.scopes, created.expires_at) == (None, None)


def test_a_token_that_could_never_be_used_is_rejected() -> None:
    for late in (NOW, NOW - 1):
        with refused(ErrorCode.INVALID_VALUE, "expiresAt"):
            replace(CREATE, expires_at=late).decide(None, FACTS)
    with refused(ErrorCode.INVALID_VALUE, "scopes"):
        replace(CREATE, scopes=()).decide(None, FACTS)
    with refused(ErrorCode.BLANK, "name"):
        replace(CREATE, name=" ").decide(None, FACTS)


def test_a_withdrawn_token_keeps_its_id_and_a_withdrawn_revocation_still_applies() -> None:
    assert token_of(withdrawn("token.created")) == Token("t", secret_hash=None)
    assert REVOKE.decide(token_of(withdrawn("token.created")), Facts()) == (REVOKED,)
    assert token_of(CREATED, withdrawn("token.revoked")) == Token("t", "5e", is_revoked=True)


@for_all(
    st.lists(
        st.sampled_from(
            [CREATED, REVOKED, withdrawn("token.created"), withdrawn("token.revoked"), withdrawn("x.y")]
        )
    )
)
def test_every_history_is_accepted_and_a_revoked_token_stays_revoked(history: list[Event]) -> None:
    token = token_of(*history)
    revoked = any(event == REVOKED or getattr(event, "type", "") == "token.revoked" for event in history)
    if token and CREATED not in history:
        assert token.is_revoked == revoked


@pytest.mark.parametrize("state", [None, Token("t"), Token("t", "5e"), Token("t", "5e", is_revoked=True)])
def test_a_repeated_command_records_no_event(state: Token | None) -> None:
    after_creating = reduce(tokens.evolve, CREATE.decide(state, FACTS), state)
    assert CREATE.decide(after_creating, FACTS) == ()
    after_revoking = reduce(tokens.evolve, REVOKE.decide(state, Facts()), state)
    assert REVOKE.decide(after_revoking, Facts()) == ()
