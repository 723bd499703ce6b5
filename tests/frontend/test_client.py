"""The typed client against the real service."""

import json

import httpx
import pytest
from dashboard_tools import wait_for_end
from service_tools import LONG, SMALL, free_port

from frontend.client import ApiClient, ApiProblemError, BackendUnreachableError, connect
from frontend.schemas import RunRecord


def test_a_run_is_submitted_measured_listed_and_exported(api: ApiClient, finished: RunRecord) -> None:
    assert finished["status"] == "succeeded"
    result = finished["result"]
    assert result is not None
    assert {c["variant"] for c in result["candidates"]} == {"dense", "it", "ot", "dt", "bd"}

    page = api.runs({"status": "succeeded", "variant": "dt", "device": None, "origin": "local"}, limit=5)
    assert finished["id"] in {item["id"] for item in page["items"]}
    assert page["total"] >= 1
    assert api.runs({"status": "failed"})["items"] == []

    assert json.loads(api.export(finished["id"], "json"))["schema_version"] == 2
    table = api.export(finished["id"], "csv").decode().splitlines()
    assert "speedup" in table[0]
    assert len(table) == 1 + len(result["candidates"])


def test_an_exported_file_is_imported_marked_and_deleted(api: ApiClient, finished: RunRecord) -> None:
    record = api.import_run(api.export(finished["id"], "json"))

    assert record["origin"] == "imported"
    assert record["id"] in {item["id"] for item in api.runs({"origin": "imported"})["items"]}
    api.delete(record["id"])
    with pytest.raises(ApiProblemError) as caught:
        api.run(record["id"])
    assert caught.value.status == 404


def test_a_running_measurement_is_cancelled(api: ApiClient) -> None:
    run_id = api.submit(LONG)["id"]
    api.cancel(run_id)

    assert wait_for_end(api, run_id)["status"] == "cancelled"


def test_a_refusal_names_every_wrong_field(api: ApiClient) -> None:
    with pytest.raises(ApiProblemError) as caught:
        api.submit(SMALL | {"in_features": 770, "dtype": "float31"})

    assert caught.value.status == 422
    fields = {entry["field"] for entry in caught.value.errors}
    assert "dtype" in fields
    assert all(entry["rule"] for entry in caught.value.errors)


def test_a_file_that_is_no_run_is_refused_with_a_sentence(api: ApiClient) -> None:
    with pytest.raises(ApiProblemError) as caught:
        api.import_run(b"this is not JSON")

    assert 400 <= caught.value.status < 500
    assert str(caught.value)


def test_structure_and_system_answer_in_the_shapes_that_the_pages_read(api: ApiClient) -> None:
    layer = {"in_features": 768, "out_features": 3072, "n_blocks": 4, "variant": "it", "grain": 1}
    window = {"out_start": 744, "out_stop": 792, "in_start": 168, "in_stop": 216}

    assert api.pattern(layer, max_cells=64)["totals"]["parameters"] == 2 * 768 * 3072 // 4
    assert api.pattern(layer, window=window)["rows"] == 48
    assert len(api.connectivity(layer)["hubs"]) == 8
    assert api.reachability([layer])["depths"][0]["reached_share"] == pytest.approx(0.4375)
    assert api.system()["devices"][0]["name"] == "cpu"
    api.check()


def test_no_answer_is_an_error_that_knows_the_address() -> None:
    address = f"http://127.0.0.1:{free_port('127.0.0.1')}"

    with pytest.raises(BackendUnreachableError) as caught:
        connect(address).system()

    assert caught.value.address == address
    assert address in str(caught.value)


def test_an_error_page_of_a_proxy_keeps_its_text() -> None:
    def proxy(request: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="bad gateway")

    client = ApiClient(httpx.Client(transport=httpx.MockTransport(proxy), base_url="http://proxy"))

    with pytest.raises(ApiProblemError, match="bad gateway"):
        client.system()
