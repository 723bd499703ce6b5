"""Ten thousand requests drawn from the OpenAPI document, alone and in chains: no mistake, no answer off its schema.

``tests/backend/test_openapi.py`` is the short form of the single requests; the chains have theirs here. ``SOAK_CASES`` and
``SOAK_SEED`` change how many of each and which.
"""

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from schemathesis.core.transport import Response
from service_tools import SMALL, npy, send
from soak.fuzzing import Counts, answered, kinds_without_work
from soak.reports import publish

from backend.app import create_app
from backend.settings import Settings
from dyad_core.bench.reference import FOLDER
from dyad_core.sweep.reference import FOLDER as MAPS

MATRIX = npy(np.ones((8, 8), dtype=np.float32))
RUNS, SWEEP = (json.loads(next(folder.glob("*.json")).read_text(encoding="utf-8")) for folder in (FOLDER, MAPS))
LAYER = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it"}
GOOD = {
    "POST /api/v1/benchmarks": SMALL,
    "POST /api/v1/benchmarks/import": RUNS["runs"][0] if "runs" in RUNS else RUNS,
    "POST /api/v1/sweeps": {"widths": [64, 128], "tokens": [8]},
    "POST /api/v1/sweeps/import": SWEEP,
    "POST /api/v1/structure/advice": {"in_features": 768, "out_features": 3072},
    "POST /api/v1/structure/pattern": LAYER,
    "POST /api/v1/structure/connectivity": LAYER,
    "POST /api/v1/structure/reachability": {"layers": [LAYER]},
    "POST /api/v1/structure/projection": {"upload": "0" * 32, "n_blocks": [4], "variants": ["it"]},
    "POST /api/v1/uploads": MATRIX,
    "POST /api/v1/verdicts": {"benchmark": SMALL, "variant": "it", "n_blocks": 4},
}
"""Bodies that are accepted; what is drawn alone hardly ever is."""
CASES = int(os.environ.get("SOAK_CASES", "10000"))
SHORT_CHAINS = 5
STEPS = 8
EXAMPLES_A_ROUND = 40


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    own = Settings(home=tmp_path_factory.mktemp("home"), reference_runs=False)
    with TestClient(create_app(own, kinds=kinds_without_work(own)), raise_server_exceptions=False) as client:
        yield client


def description() -> Any:
    return schemathesis.openapi.from_dict(create_app(Settings()).openapi())


def quiet(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), **more,
    )  # fmt: skip


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


def singles(client: TestClient, counts: Counts, operation: Any, examples: int, chosen: int) -> None:
    """Draw single requests for one operation, half of them about something that is there."""
    modes = schemathesis.GenerationMode
    cases = st.one_of(
        operation.as_strategy(generation_mode=modes.POSITIVE), operation.as_strategy(generation_mode=modes.NEGATIVE)
    )
    upload = send(client, MATRIX).json()["id"]

    @hypothesis.seed(chosen)
    @quiet(examples)
    @given(case=cases, there_is_one=st.booleans(), choice=st.integers(0, 2**16))
    def run(case: schemathesis.Case, there_is_one: bool, choice: int) -> None:
        if there_is_one and operation.label in GOOD:
            case.body = almost(GOOD[operation.label], case.body, choice)
        if there_is_one and case.path_parameters:
            made = _make(client, case.path_parameters)
            if made.is_success:
                case.path_parameters = dict.fromkeys(case.path_parameters, made.json()["id"])
        if there_is_one and isinstance(case.body, dict) and "upload" in case.body:
            case.body = case.body | {"upload": upload}
        counts.judge(case, answered(client, case))

    run()


def almost(good: Any, drawn: Any, choice: int) -> Any:
    """A good body with one field of a drawn one in it, or with none."""
    if not isinstance(good, dict) or not isinstance(drawn, dict) or not drawn or choice % 3 == 0:
        return good
    name = sorted(drawn)[choice % len(drawn)]
    return good | {name: drawn[name]}


def _make(client: TestClient, parameters: Any) -> Any:
    if "upload_id" in parameters:
        return send(client, MATRIX)
    if "sweep_id" in parameters:
        return client.post("/api/v1/sweeps", json={"widths": [64], "tokens": [8]})
    return client.post("/api/v1/benchmarks", json=SMALL)


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
            singles(client, counts, operation, EXAMPLES_A_ROUND, chosen)
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
