"""The OpenAPI document is complete, and requests drawn from it never make the service fail or leave its schema.

``tests/soak/test_fuzz.py`` has the long form, and chains of requests.
"""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from service_tools import NewSettings
from soak.drawing import description, singles
from soak.fuzzing import Counts, answered, kinds_without_work

from backend.app import create_app

API = description()
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
    "GET /api/v1/models/measurements",
    "POST /api/v1/models/measurements",
    "POST /api/v1/models/measurements/import",
    "GET /api/v1/models/measurements/{measurement_id}",
    "DELETE /api/v1/models/measurements/{measurement_id}",
    "POST /api/v1/models/measurements/{measurement_id}/cancel",
    "GET /api/v1/models/measurements/{measurement_id}/events",
    "GET /api/v1/models/measurements/{measurement_id}/export",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
}
EXAMPLES = 12


@pytest.fixture(scope="module")
def client(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings() as own:
        app = create_app(own, kinds=kinds_without_work(own))
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
    counts = Counts()
    singles(client, OPERATIONS[label], EXAMPLES, 6, lambda case: counts.judge(case, answered(client, case)))
    assert counts.total == EXAMPLES
    assert counts.wrong == {}
