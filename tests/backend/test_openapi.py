"""The OpenAPI document is complete, and requests drawn from it never make the service fail or leave its schema."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from service_tools import SMALL, NewSettings, npy, send

from backend.app import create_app
from backend.jobs.context import Context
from backend.jobs.kind import Outcome
from backend.jobs.kinds.benchmark import BenchmarkKind
from backend.jobs.kinds.projection import ProjectionKind
from backend.jobs.kinds.sweep import SweepKind
from backend.settings import Settings
from dyad_core.errors import BenchmarkFailed

API = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {operation.ok().label: operation.ok() for operation in API.get_all_operations()}
EXPECTED = {
    "GET /api/v1/benchmarks",
    "POST /api/v1/benchmarks",
    "GET /api/v1/benchmarks/compare",
    "POST /api/v1/benchmarks/import",
    "GET /api/v1/benchmarks/{run_id}",
    "DELETE /api/v1/benchmarks/{run_id}",
    "POST /api/v1/benchmarks/{run_id}/cancel",
    "GET /api/v1/benchmarks/{run_id}/events",
    "GET /api/v1/benchmarks/{run_id}/export",
    "GET /api/v1/jobs",
    "POST /api/v1/jobs",
    "GET /api/v1/jobs/{job_id}",
    "DELETE /api/v1/jobs/{job_id}",
    "POST /api/v1/jobs/{job_id}/cancel",
    "GET /api/v1/jobs/{job_id}/events",
    "GET /api/v1/jobs/{job_id}/log",
    "GET /api/v1/uploads",
    "POST /api/v1/uploads",
    "GET /api/v1/uploads/{upload_id}",
    "DELETE /api/v1/uploads/{upload_id}",
    "POST /api/v1/structure/advice",
    "POST /api/v1/structure/pattern",
    "POST /api/v1/structure/projection",
    "POST /api/v1/structure/connectivity",
    "POST /api/v1/structure/reachability",
    "GET /api/v1/sweeps",
    "POST /api/v1/sweeps",
    "POST /api/v1/sweeps/import",
    "GET /api/v1/sweeps/{sweep_id}",
    "DELETE /api/v1/sweeps/{sweep_id}",
    "POST /api/v1/sweeps/{sweep_id}/cancel",
    "GET /api/v1/sweeps/{sweep_id}/events",
    "GET /api/v1/sweeps/{sweep_id}/export",
    "GET /api/v1/system",
    "POST /api/v1/verdicts",
    "GET /api/v1/published/timing",
    "GET /api/v1/published/quality",
    "GET /api/v1/models/presets",
    "POST /api/v1/models/estimate",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}
MATRIX = npy(np.ones((8, 8), dtype=np.float32))
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]


class Unmeasured(BenchmarkKind):
    """Benchmarks whose requests are checked as always and whose measurement is left out, for there are hundreds."""

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        raise BenchmarkFailed("it was not to be measured")


class Unprojected(ProjectionKind):
    """Projections, likewise."""

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        raise BenchmarkFailed("it was not to be computed")


class Unswept(SweepKind):
    """Sweeps, likewise."""

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        raise BenchmarkFailed("it was not to be measured")


@pytest.fixture(scope="module")
def client(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings() as own:
        app = create_app(own, kinds={"benchmark": Unmeasured(), "projection": Unprojected(own), "sweep": Unswept(own)})
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def test_every_address_is_documented() -> None:
    assert set(OPERATIONS) == EXPECTED


def test_the_request_and_the_result_are_documented_as_the_library_has_them() -> None:
    schemas = API.raw_schema["components"]["schemas"]

    assert schemas["BenchmarkSpec"]["additionalProperties"] is False
    assert schemas["BenchmarkSpec"]["required"] == ["in_features", "out_features"]
    assert schemas["BenchmarkSpec"]["properties"]["variants"]["items"]["enum"] == ["it", "ot", "dt", "bd"]
    assert "pass" in schemas["Candidate"]["properties"]
    assert "samples_ms" in schemas["Candidate"]["properties"]
    body = API.raw_schema["paths"]["/api/v1/benchmarks"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/BenchmarkSpec"}


@pytest.mark.parametrize("label", sorted(EXPECTED))
def test_no_request_makes_the_service_fail_or_leave_its_schema(client: TestClient, label: str) -> None:
    operation = OPERATIONS[label]
    upload = send(client, MATRIX).json()["id"]
    modes = schemathesis.GenerationMode
    cases = st.one_of(
        operation.as_strategy(generation_mode=modes.POSITIVE), operation.as_strategy(generation_mode=modes.NEGATIVE)
    )

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, there_is_one=st.booleans())
    def run(case: schemathesis.Case, there_is_one: bool) -> None:
        if there_is_one and case.path_parameters:
            if "upload_id" in case.path_parameters:
                made = send(client, MATRIX)
            elif "sweep_id" in case.path_parameters:
                made = client.post("/api/v1/sweeps", json={"widths": [64], "tokens": [8]})
            else:
                made = client.post("/api/v1/benchmarks", json=SMALL)
            if made.is_success:
                case.path_parameters = dict.fromkeys(case.path_parameters, made.json()["id"])
        if there_is_one and isinstance(case.body, dict) and "upload" in case.body:
            case.body = case.body | {"upload": upload}
        request = case.as_transport_kwargs(base_url="http://testserver")
        request.pop("cookies", None)  # no route reads any
        if isinstance(request.get("data"), bytes | str):
            request["content"] = request.pop("data")
        answer = client.request(**request)
        case.validate_response(answer, checks=CHECKED)

    run()
