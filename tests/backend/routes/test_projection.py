"""Projections of uploads: what they answer, that they run in a process of their own, and every wrong request."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from fastapi.testclient import TestClient
from service_tools import NewSettings, alive, ended, npy, safetensors, send, serving, wait_until, workers_of

from backend.app import create_app
from backend.settings import Settings
from backend.store.store import NewJob
from dyad_core import DyadGeometry
from dyad_core.structure.ranks import realised_weight
from dyad_core.weights import project, reorder_hidden

PROJECTION = "/api/v1/structure/projection"
WORKER = "backend.projecting.worker"
RANDOM = np.random.default_rng(0)
UP = RANDOM.standard_normal((48, 24)).astype(np.float32)
DOWN = RANDOM.standard_normal((12, 48)).astype(np.float32)
DYAD = realised_weight(DyadGeometry(24, 48, 4, "ot"), RANDOM).astype(np.float32)
POISONED = UP.copy()
POISONED[5, 7] = np.nan
POISONED[6, 1] = np.inf
FILE = safetensors(
    up=UP,
    down=DOWN,
    down_stored_transposed=np.ascontiguousarray(DOWN.T),
    dyad=DYAD,
    poisoned=POISONED,
    zeros=np.zeros((24, 24), dtype=np.float32),
    bias=np.ones(24, dtype=np.float32),
    large=np.ones((64, 64), dtype=np.float32),
)


@pytest.fixture(scope="module")
def client(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings(max_matrix_bytes=8192) as own, TestClient(create_app(own)) as client:
        yield client


@pytest.fixture(scope="module")
def upload(client: TestClient) -> str:
    upload_id: str = send(client, FILE, name="model.safetensors").json()["id"]
    return upload_id


def test_a_projection_is_a_job_whose_result_is_the_librarys(client: TestClient, upload: str) -> None:
    body = {
        "upload": upload,
        "tensor": "up",
        "variants": ["it", "bd"],
        "n_blocks": [4, 5],
        "examine": {"variant": "ot", "n_blocks": 3, "max_cells": 16, "residual_spectrum": True},
        "reorder": {"tensor": "down_stored_transposed", "transpose": True, "second_variant": "ot"},
    }
    answer = client.post(PROJECTION, json=body)
    assert answer.status_code == 202
    record = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{record['id']}"
    assert record["kind"] == "projection"
    assert record["spec"]["grains"] == [1]
    done = ended(client, record["id"])

    assert (done["status"], done["error"]) == ("succeeded", None)
    result = done["result"]
    expected = project(UP, variants=["it", "bd"], n_blocks=[4, 5]).to_dict()
    assert {key: result[key] for key in expected} == expected
    assert done["headline"] == expected["reading"]
    assert result["source"] == {
        "upload": upload,
        "file": "model.safetensors",
        "name": "up",
        "format": "safetensors",
        "dtype": "float32",
        "transposed": False,
        "out_features": 48,
        "in_features": 24,
    }
    examination = result["examination"]
    assert (examination["candidate"]["variant"], examination["candidate"]["n_blocks"]) == ("ot", 3)
    assert examination["spectra"]["dropped"] is not None
    assert examination["pictures"]["dropped"]["rows"] <= 16
    assert result["reordering"] == reorder_hidden(UP, DOWN, variant=("it", "ot")).to_dict()
    assert (done["progress"]["stage"], done["progress"]["fraction"]) == ("finished", 1.0)


def test_the_only_matrix_needs_no_name_and_a_dyad_weight_is_kept_whole(client: TestClient) -> None:
    upload = send(client, npy(DYAD.T.copy())).json()["id"]
    body = {"upload": upload, "transpose": True, "variants": ["ot"], "n_blocks": [4], "low_rank": False}
    done = ended(client, client.post(PROJECTION, json=body).json()["id"])

    assert done["spec"]["tensor"] == "array"
    assert done["result"]["source"]["transposed"] is True
    (candidate,) = done["result"]["candidates"]
    assert candidate["captured_energy"] == 1.0
    assert candidate["low_rank"] is None
    assert done["result"]["spectrum"] is None


def test_nan_and_infinity_fail_with_their_number_and_first_place(client: TestClient, upload: str) -> None:
    done = ended(client, client.post(PROJECTION, json={"upload": upload, "tensor": "poisoned"}).json()["id"])

    assert (done["status"], done["result"]) == ("failed", None)
    assert "must hold finite numbers alone" in done["error"]["detail"]
    assert "2 of 1,152 are not, the first is nan at row 5, column 7" in done["error"]["detail"]


def test_zeros_alone_fail_in_a_sentence(client: TestClient, upload: str) -> None:
    done = ended(client, client.post(PROJECTION, json={"upload": upload, "tensor": "zeros"}).json()["id"])

    assert done["status"] == "failed"
    assert "must hold a value other than zero" in done["error"]["detail"]


def test_an_upload_that_is_gone_when_its_turn_comes_fails_in_a_sentence(client: TestClient) -> None:
    upload = send(client, npy(UP)).json()["id"]
    kind = client.app.state.kinds["projection"]  # type: ignore[attr-defined]
    spec = kind.read({"upload": upload}).spec
    client.delete(f"/api/v1/uploads/{upload}")
    service = client.app.state.service  # type: ignore[attr-defined]
    job = service.store.add(NewJob(kind="projection", spec=spec, spec_digest="", warnings=[]))
    service.desk.scheduler.wake()

    done = ended(client, job.id)
    assert done["status"] == "failed"
    assert "none has this one" in done["error"]["detail"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"upload": None}, {"upload"}),
        ({"upload": "0" * 32}, {"upload"}),
        ({"upload": "../../etc/passwd"}, {"upload"}),
        ({"tensor": "nothing"}, {"tensor"}),
        ({"tensor": None}, {"tensor"}),
        ({"tensor": 3}, {"tensor"}),
        ({"tensor": "bias"}, {"tensor"}),
        ({"tensor": "large"}, {"tensor"}),
        ({"transpose": 1}, {"transpose"}),
        ({"low_rank": "yes"}, {"low_rank"}),
        ({"variants": []}, {"variants"}),
        ({"variants": [["it"]]}, {"variants"}),
        ({"variants": ["it", "it"]}, {"variants"}),
        ({"variants": ["xx"]}, {"variants"}),
        ({"n_blocks": 4}, {"n_blocks"}),
        ({"n_blocks": [True]}, {"n_blocks"}),
        ({"n_blocks": [0]}, {"n_blocks"}),
        ({"n_blocks": list(range(1, 66))}, {"n_blocks"}),
        ({"n_blocks": list(range(1, 30))}, {"n_blocks"}),
        ({"n_blocks": [7]}, {"in_features", "out_features"}),
        ({"grains": [1.5]}, {"grains"}),
        ({"colour": "red", "window": {}}, {"colour", "window"}),
        ({"examine": []}, {"examine"}),
        (
            {"examine": {"variant": "zz", "n_blocks": 0, "grain": None}},
            {"examine.variant", "examine.n_blocks", "examine.grain"},
        ),
        ({"examine": {"n_blocks": 7}}, {"examine.in_features", "examine.out_features"}),
        (
            {"examine": {"max_cells": 513, "residual_spectrum": None}},
            {"examine.max_cells", "examine.residual_spectrum"},
        ),
        ({"examine": {"depth": 1}}, {"examine.depth"}),
        ({"reorder": {}}, {"reorder.tensor"}),
        ({"reorder": {"tensor": "down_stored_transposed"}}, {"reorder.tensor"}),
        ({"reorder": {"tensor": "down", "upload": "f" * 32}}, {"reorder.upload"}),
        ({"reorder": {"tensor": "down", "n_blocks": 5}}, {"reorder.in_features", "reorder.out_features"}),
        ({"reorder": {"tensor": "down", "second_variant": "xx"}}, {"reorder.second_variant"}),
        ({"tensor": "up", "n_blocks": [7], "examine": {"n_blocks": 9}}, {"out_features", "examine.in_features"}),
    ],
)
def test_a_wrong_request_names_its_fields_at_once(
    client: TestClient, upload: str, changes: dict[str, Any], fields: set[str]
) -> None:
    answer = client.post(PROJECTION, json={"upload": upload, "tensor": "up"} | changes)

    assert answer.status_code == 422, answer.json()
    assert fields <= {error["field"] for error in answer.json()["errors"]}


def test_suggestions_name_what_would_do(client: TestClient, upload: str) -> None:
    def suggestion(**changes: Any) -> str:
        answer = client.post(PROJECTION, json={"upload": upload, "tensor": "up"} | changes)
        text: str = answer.json()["errors"][0]["suggestion"]
        return text

    assert "nearest names: down" in suggestion(tensor="dwn")
    assert suggestion(tensor="large") == "DYAD_MAX_MATRIX_BYTES changes the limit"
    assert "set transpose" in suggestion(reorder={"tensor": "down_stored_transposed"})


def test_a_running_projection_is_cancelled_and_its_process_gone(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        upload = send(client, npy(np.random.default_rng(0).standard_normal((4096, 4096)).astype(np.float32))).json()
        job = f"/api/v1/jobs/{client.post(PROJECTION, json={'upload': upload['id']}).json()['id']}"
        (worker,) = wait_until(lambda: workers_of(os.getpid(), WORKER), "the start of the projection")
        assert client.post(f"{job}/cancel").status_code == 202

        assert ended(client, job.rpartition("/")[2])["status"] == "cancelled"
        assert not psutil.pid_exists(worker)


def test_the_process_goes_when_its_server_is_killed(settings: Settings) -> None:
    with serving(settings) as (client, process):
        upload = send(client, npy(np.random.default_rng(0).standard_normal((4096, 4096)).astype(np.float32))).json()
        job = f"/api/v1/jobs/{client.post(PROJECTION, json={'upload': upload['id']}).json()['id']}"
        wait_until(lambda: (client.get(job).json()["progress"] or {}).get("elapsed_s"), "the first progress")
        (worker,) = workers_of(process.pid, WORKER)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    wait_until(lambda: not alive(worker), "the end of the projection, whose server is gone")
