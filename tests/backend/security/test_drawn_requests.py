"""Requests drawn from the OpenAPI document to a service with a token: with it they are answered as ever, without it nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from fastapi.testclient import TestClient
from service_tools import NewSettings
from soak.drawing import description, singles
from soak.fuzzing import Counts, answered, kinds_without_work

from backend.security.scopes import OPEN

from .tools import bearer, service, with_shared

SHARED = "shared-secret-1234567890-abcdef"
TOKEN = bearer(SHARED)
OPERATIONS = {found.ok().label: found.ok() for found in description().get_all_operations()}
EXAMPLES = 6


@pytest.fixture(scope="module")
def guarded(new_settings: NewSettings) -> Iterator[TestClient]:
    """The service with DYAD_API_TOKEN; this client sends it unless a request says otherwise."""
    with new_settings(reads_per_minute=0, writes_per_minute=0) as own:
        settings = with_shared(own, SHARED)
        with service(settings, kinds=kinds_without_work(settings)) as client:
            client.headers.update(TOKEN)
            yield client


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_with_a_token_the_description_holds_and_without_it_only_what_is_open_answers(
    guarded: TestClient, label: str
) -> None:
    counts, closed, told = Counts(), Counts(), []
    operation = OPERATIONS[label]

    def use(case: schemathesis.Case) -> None:
        counts.judge(case, answered(guarded, case, TOKEN))
        # Another one than the service has, or none: a drawn header would take the place of both.
        for headers in ({"Authorization": "Bearer drawn"}, {"Authorization": ""}):
            answer = answered(guarded, case, headers)
            closed.judge(case, answer)
            told.append((answer.status_code, "www-authenticate" in answer.headers))

    singles(guarded, operation, EXAMPLES, 6, use)
    assert counts.total == EXAMPLES
    assert counts.wrong == closed.wrong == {}
    assert 401 not in {status for _, status in counts.found}
    if operation.path in OPEN:
        assert 401 not in {status for status, _ in told}
    else:
        assert set(told) == {(401, True)}
