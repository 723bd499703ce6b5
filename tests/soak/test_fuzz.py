"""Ten thousand requests drawn from the OpenAPI document, alone and in chains: no mistake, no answer off its schema.

``tests/backend/test_openapi.py`` is the short form of the single requests; the chains have theirs here. ``SOAK_CASES`` and
``SOAK_SEED`` change how many of each and which.
"""

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis.errors import Flaky
from schemathesis.core.transport import Response
from soak.drawing import GOOD, almost, description, quiet, singles
from soak.fuzzing import Counts, answered, kinds_without_work
from soak.reports import publish

from backend.app import create_app
from backend.settings import Settings

CASES = int(os.environ.get("SOAK_CASES", "10000"))
SHORT_CHAINS = 5
STEPS = 8
EXAMPLES_A_ROUND = 40


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    own = Settings(home=tmp_path_factory.mktemp("home"), reference_runs=False)
    with TestClient(create_app(own, kinds=kinds_without_work(own)), raise_server_exceptions=False) as client:
        yield client


def seed() -> int:
    return int(os.environ.get("SOAK_SEED", secrets.randbelow(10**6)))


def chains(client: TestClient, counts: Counts, examples: int, chosen: int) -> None:
    """Draw chains of requests along the links of the document."""

    class Chain(description().as_state_machine()):
        def call(self, case: schemathesis.Case, **kwargs: Any) -> Response:
            choice = zlib.crc32(repr(case.body).encode())
            if case.operation.label in GOOD and choice % 3:
                case.body = almost(GOOD[case.operation.label], case.body, choice)
            answer = answered(client, case)
            counts.judge(case, answer)
            return Response.from_httpx(answer, verify=False)

        def validate_response(self, response: Response, case: schemathesis.Case, **kwargs: Any) -> None:
            """It was judged when it came."""

    hypothesis.seed(chosen)(Chain.TestCase)
    with contextlib.suppress(
        Flaky
    ):  # the service is not as it was when an equal beginning was drawn: another seed goes on
        Chain.run(settings=quiet(examples, stateful_step_count=STEPS))


def test_a_few_chains_of_requests_stay_inside_the_description(client: TestClient) -> None:
    counts = Counts()
    chains(client, counts, SHORT_CHAINS, chosen=6)
    assert counts.wrong == {}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_single_requests_stay_inside_the_description(client: TestClient) -> None:
    counts, chosen = Counts(), seed()
    operations = [found.ok() for found in description().get_all_operations()]
    while counts.total < CASES:
        for operation in operations:
            singles(
                client, operation, EXAMPLES_A_ROUND, chosen, lambda case: counts.judge(case, answered(client, case))
            )
        chosen += 1
    publish("fuzz_single", counts.table(f"single requests, seed {chosen}"), counts.values())
    assert counts.wrong == {}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_chains_of_requests_stay_inside_the_description(client: TestClient) -> None:
    counts, chosen = Counts(), seed()
    while counts.total < CASES // 2:
        chains(client, counts, EXAMPLES_A_ROUND, chosen)
        chosen += 1
    publish("fuzz_chains", counts.table(f"chains of requests, seed {chosen}"), counts.values())
    assert counts.wrong == {}
