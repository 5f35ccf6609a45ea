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
from ledgerpress.features.posts.permissions import READ_POSTS, WRITE_POSTS
from ledgerpress.features.tokens import model as tokens
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, TokenFacts
from ledgerpress.features.tokens.model import Token, TokenCreated, TokenRevoked
from tests.user_errors import refused

NOW: Final = 1_714_809_600_000_000
MADE: Final = TokenCreated(
    token_id="t",
    actor_id="a",
    name="Feed",
    role="editor",
    scopes=("posts:read", "posts:write"),
    expires_at=NOW + 1,
    secret_hash="5e",
)
MAKE: Final = CreateToken(
    name=" Feed ",
    role=Role.EDITOR,
    scopes=(WRITE_POSTS, READ_POSTS, WRITE_POSTS),
    expires_at=NOW + 1,
    secret_hash="5e",
)
FACTS: Final = TokenFacts(now=NOW, new_id="t", actor_id="a")
REVOKE: Final = RevokeToken(token_id="t")
REVOKED: Final = TokenRevoked(token_id="t")


def given(*events: Event) -> Token | None:
    return reduce(tokens.evolve, events, None)


def gone(kind: str) -> Withdrawn:
    return Withdrawn(type=kind, stream="token.t", recorded_at=0)


def test_a_token_is_made_once_and_revoked_once() -> None:
    assert MAKE.decide(None, FACTS) == (MADE,)
    assert MAKE.decide(given(MADE), FACTS) == ()
    assert MAKE.decide(given(gone("token.created")), FACTS) == ()
    assert REVOKE.decide(given(MADE), Facts()) == (REVOKED,)
    assert REVOKE.decide(given(MADE, REVOKED), Facts()) == ()
    assert REVOKE.decide(None, Facts()) == ()


def test_without_scopes_and_without_end() -> None:
    (made,) = replace(MAKE, scopes=None, expires_at=None).decide(None, FACTS)
    assert isinstance(made, TokenCreated)
    assert (made.scopes, made.expires_at) == (None, None)


def test_what_could_never_be_of_use_is_refused() -> None:
    for late in (NOW, NOW - 1):
        with refused(ErrorCode.INVALID_VALUE, "expiresAt"):
            replace(MAKE, expires_at=late).decide(None, FACTS)
    with refused(ErrorCode.INVALID_VALUE, "scopes"):
        replace(MAKE, scopes=()).decide(None, FACTS)
    with refused(ErrorCode.BLANK, "name"):
        replace(MAKE, name=" ").decide(None, FACTS)


def test_of_a_withdrawn_token_the_id_remains_and_a_withdrawn_revocation_still_counts() -> None:
    assert given(gone("token.created")) == Token("t", secret_hash=None)
    assert REVOKE.decide(given(gone("token.created")), Facts()) == (REVOKED,)
    assert given(MADE, gone("token.revoked")) == Token("t", "5e", is_revoked=True)


@for_all(
    st.lists(st.sampled_from([MADE, REVOKED, gone("token.created"), gone("token.revoked"), gone("x.y")]))
)
def test_no_history_is_refused_and_what_was_revoked_stays_so(history: list[Event]) -> None:
    token = given(*history)
    revoked = any(one == REVOKED or getattr(one, "type", "") == "token.revoked" for one in history)
    if token and MADE not in history:
        assert token.is_revoked == revoked


@pytest.mark.parametrize("state", [None, Token("t"), Token("t", "5e"), Token("t", "5e", is_revoked=True)])
def test_nothing_is_decided_twice(state: Token | None) -> None:
    after_making = reduce(tokens.evolve, MAKE.decide(state, FACTS), state)
    assert MAKE.decide(after_making, FACTS) == ()
    after_revoking = reduce(tokens.evolve, REVOKE.decide(state, Facts()), state)
    assert REVOKE.decide(after_revoking, Facts()) == ()
