"""Every answer that names a job or an upload links to what takes its id, in the OpenAPI document."""

from backend.app import create_app
from backend.links import linked
from backend.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = {
    operation["operationId"]: f"{method.upper()} {path}"
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def targets(path: str, method: str, status: str) -> set[str]:
    links = DOCUMENT["paths"][path][method]["responses"][status]["links"]
    return {OPERATIONS[link["operationId"]] for link in links.values()}


def test_a_submitted_benchmark_leads_to_all_that_can_be_done_with_it() -> None:
    found = targets("/api/v1/benchmarks", "post", "202")

    assert {f"{method} /api/v1/benchmarks/{{run_id}}" for method in ("GET", "DELETE")} <= found
    assert {f"GET /api/v1/benchmarks/{{run_id}}/{name}" for name in ("events", "export")} <= found
    assert {"POST /api/v1/benchmarks/{run_id}/cancel", "GET /api/v1/jobs/{job_id}/log"} <= found


def test_an_upload_leads_to_its_projection() -> None:
    assert "POST /api/v1/structure/projection" in targets("/api/v1/uploads", "post", "201")


def test_every_address_with_an_id_is_linked_to() -> None:
    linked_to = {
        OPERATIONS[link["operationId"]]
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    }

    assert {label for label in OPERATIONS.values() if "{" in label} <= linked_to


def test_linking_twice_changes_nothing() -> None:
    assert linked(DOCUMENT) == create_app(Settings()).openapi()
