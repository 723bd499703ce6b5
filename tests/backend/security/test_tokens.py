"""The table of tokens: what is kept is no secret, names are checked, and the end of a token is remembered."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from backend.security.scopes import Scope
from backend.security.tokens import SHARED_NAME, digest
from backend.settings import Settings
from dyad_core.errors import SpecError

from .tools import token_store


def test_only_the_hash_is_kept(settings: Settings) -> None:
    with token_store(settings) as store:
        token, secret = store.create("ann", Scope.READ, 30)
        with store._engine.connect() as connection:
            kept = str(connection.execute(text("SELECT * FROM tokens")).all())

    assert secret.startswith("dyad_")
    assert len(secret) >= 40
    assert secret not in kept
    assert secret.removeprefix("dyad_") not in kept
    assert token.hash == digest(secret)
    assert token.hash in kept
    assert secret not in repr(token)


def test_every_token_is_another_one(settings: Settings) -> None:
    with token_store(settings) as store:
        assert len({store.create(f"t{i}", Scope.RUN, None)[1] for i in range(20)}) == 20


def test_it_expires_when_it_should(settings: Settings) -> None:
    with token_store(settings) as store:
        token, _ = store.create("ann", Scope.RUN, 1)
    now = datetime.now(UTC)

    assert token.expires_at is not None
    assert token.state(now) == "usable"
    assert token.state(token.expires_at) == "expired"
    assert token.state(now + timedelta(days=2)) == "expired"


@pytest.mark.parametrize("name", ["", "a b", "ä", "-x", "x" * 81, "a\nb", "../etc", SHARED_NAME])
def test_a_name_that_could_mislead_is_refused(settings: Settings, name: str) -> None:
    with token_store(settings) as store, pytest.raises(SpecError) as caught:
        store.create(name, Scope.RUN, 0)
    assert {problem.field for problem in caught.value.problems} == {"name", "days"}


def test_a_name_is_used_once_while_its_token_is(settings: Settings) -> None:
    with token_store(settings) as store:
        _, first = store.create("ann", Scope.RUN, None)
        with pytest.raises(SpecError, match="dyad tokens revoke ann"):
            store.create("ann", Scope.RUN, None)
        revoked = store.revoke("ann")
        assert revoked.revoked_at is not None
        assert store.revoke("ann").revoked_at == revoked.revoked_at

        token, second = store.create("ann", Scope.READ, None)
        assert (token.revoked_at, token.last_used_at, token.scope) == (None, None, Scope.READ)
        assert first != second
        assert [each.hash for each in store.all()] == [digest(second)]


def test_an_unknown_token_cannot_be_revoked(settings: Settings) -> None:
    with token_store(settings) as store, pytest.raises(SpecError, match="dyad tokens list"):
        store.revoke("nobody")


def test_all_are_forgotten_at_once(settings: Settings) -> None:
    with token_store(settings) as store:
        store.create("ann", Scope.RUN, None)
        store.create("bob", Scope.RUN, None)
        assert store.forget_all() == 2
        assert store.all() == ()
