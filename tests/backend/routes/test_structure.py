"""Structure answers over HTTP: their shapes, their agreement with the matrix, and wrong requests."""

import base64
import zlib
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from dyad_core.geometry import DyadGeometry

STRUCTURE = "/api/v1/structure"
SIZES = {"in_features": 24, "out_features": 36, "n_blocks": 3, "variant": "it", "grain": 2}
GEOMETRY = SIZES | {"block_in": 8, "block_out": 12}


def counts(picture: dict[str, Any], component: str) -> np.ndarray[Any, Any]:
    raw = zlib.decompress(base64.b64decode(picture["counts"][component]))
    kind = np.dtype(picture["counts"]["dtype"]).newbyteorder("<")
    return np.frombuffer(raw, kind).reshape(picture["rows"], picture["columns"])


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
def test_a_picture_of_single_entries_is_the_pattern_of_the_definition(shared_client: TestClient, variant: str) -> None:
    body = SIZES | {"variant": variant}
    picture = shared_client.post(f"{STRUCTURE}/pattern", json=body).json()
    geometry = DyadGeometry(**body)  # type: ignore[arg-type]
    outputs, inputs = np.arange(36)[:, None], np.arange(24)[None, :]
    diagonal = outputs // geometry.block_out == inputs // geometry.block_in
    transposed = np.zeros_like(diagonal)
    if variant != "bd":
        transposed = geometry.output_side.group(outputs) == geometry.input_side.group(inputs)

    assert {"geometry", "window", "rows", "columns", "row_edges", "column_edges", "counts", "totals", "exact"} <= set(
        picture
    )
    assert picture["geometry"] == GEOMETRY | {"variant": variant}
    assert (picture["rows"], picture["columns"], picture["exact"]) == (36, 24, True)
    assert picture["row_edges"] == list(range(37))
    assert (counts(picture, "blockdiag") == (diagonal & ~transposed)).all()
    assert (counts(picture, "blocktrans") == (transposed & ~diagonal)).all()
    assert (counts(picture, "both") == (diagonal & transposed)).all()
    assert picture["totals"]["positions"] == (diagonal | transposed).sum()
    assert picture["totals"]["parameters"] == geometry.parameters


def test_a_window_zooms_in(shared_client: TestClient) -> None:
    window = {"out_start": 4, "out_stop": 10, "in_start": 3, "in_stop": 8}
    picture = shared_client.post(f"{STRUCTURE}/pattern", json=SIZES | {"window": window, "max_cells": 4}).json()

    assert picture["window"] == window
    assert picture["rows"] <= 4
    assert (picture["row_edges"][0], picture["row_edges"][-1]) == (4, 10)


def test_a_large_picture_is_small_on_the_wire(shared_client: TestClient) -> None:
    body = {"in_features": 16384, "out_features": 65536, "n_blocks": 8, "variant": "dt"}
    answer = shared_client.post(f"{STRUCTURE}/pattern", json=body)

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 300_000
    picture = answer.json()
    assert max(picture["rows"], picture["columns"]) <= 512
    total = sum(int(counts(picture, name).sum()) for name in ("blockdiag", "blocktrans", "both"))
    assert total == picture["totals"]["positions"]


def test_connectivity_has_a_hub_for_each_block_of_each_component(shared_client: TestClient) -> None:
    answer = shared_client.post(f"{STRUCTURE}/connectivity", json=SIZES).json()

    assert {"geometry", "hubs", "input_hub_shared", "output_hub_shared", "reads_per_output", "feeds_per_input"} <= set(
        answer
    )
    assert answer["geometry"] == GEOMETRY
    assert len(answer["hubs"]) == 6
    assert np.shape(answer["input_hub_shared"]) == (3, 3)
    assert np.sum(answer["input_hub_shared"]) == 24
    assert np.sum(answer["output_hub_shared"]) == 36


def test_reachability_follows_the_chain(shared_client: TestClient) -> None:
    up = {"in_features": 768, "out_features": 3072, "n_blocks": 4}
    down = {"in_features": 3072, "out_features": 768, "n_blocks": 4}
    answer = shared_client.post(f"{STRUCTURE}/reachability", json={"layers": [up, down]}).json()

    assert [depth["depth"] for depth in answer["depths"]] == [1, 2]
    assert answer["depths"][0]["reached_share"] == 0.4375
    assert answer["depths"][1]["full"]
    assert answer["first_full_depth"] == 2


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("pattern", {}, "in_features"),
        ("pattern", SIZES | {"in_features": 25}, "in_features"),
        ("pattern", SIZES | {"in_features": 2**40 * 3}, "in_features"),
        ("pattern", SIZES | {"variant": ["it"]}, "variant"),
        ("pattern", SIZES | {"grain": 5}, "grain"),
        ("pattern", SIZES | {"colour": 1}, "colour"),
        ("pattern", SIZES | {"max_cells": 0}, "max_cells"),
        ("pattern", SIZES | {"max_cells": 513}, "max_cells"),
        ("pattern", SIZES | {"max_cells": None}, "max_cells"),
        ("pattern", SIZES | {"max_cells": "many"}, "max_cells"),
        ("pattern", SIZES | {"window": []}, "window"),
        ("pattern", SIZES | {"window": {"out_start": 0}}, "window.out_stop"),
        (
            "pattern",
            SIZES | {"window": {"out_start": 0, "out_stop": 99, "in_start": 0, "in_stop": 1}},
            "window.out_stop",
        ),
        ("connectivity", SIZES | {"max_cells": 8}, "max_cells"),
        ("connectivity", {"in_features": 2**20, "out_features": 2**20, "n_blocks": 2**20}, "n_blocks"),
        ("reachability", {}, "layers"),
        ("reachability", {"layers": []}, "layers"),
        ("reachability", {"layers": [SIZES] * 49}, "layers"),
        ("reachability", {"layers": SIZES}, "layers"),
        ("reachability", {"layers": [1]}, "layers.0"),
        ("reachability", {"layers": [SIZES | {"n_blocks": 0}]}, "layers.0.n_blocks"),
        ("reachability", {"layers": [SIZES | {"x": 0}]}, "layers.0.x"),
        ("reachability", {"layers": [SIZES], "depth": 1}, "depth"),
        ("reachability", {"layers": [SIZES, SIZES]}, "layers.1.in_features"),
    ],
)
def test_a_wrong_request_names_the_field(
    shared_client: TestClient, path: str, body: dict[str, Any], field: str
) -> None:
    answer = shared_client.post(f"{STRUCTURE}/{path}", json=body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [error["field"] for error in answer.json()["errors"]]
