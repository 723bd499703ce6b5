"""Structure answers over HTTP: their shapes, their agreement with the matrix, and wrong requests."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from service_tools import npy, send

from dyad_core import structure
from dyad_core.geometry import DyadGeometry
from dyad_core.structure.ranks import realised_weight
from dyad_core.weights import decode_values

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


CHAIN = [
    {"in_features": 24, "out_features": 48, "n_blocks": 3, "variant": "it"},
    {"in_features": 48, "out_features": 24, "n_blocks": 4, "variant": "ot"},
    {"in_features": 24, "out_features": 48, "n_blocks": 3, "variant": "dt"},
]
LAYERS = [DyadGeometry(**layer) for layer in CHAIN]  # type: ignore[arg-type]


def without_layers(answer: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(answer.to_dict()))
    values.pop("layers", None)
    return values


def test_the_plain_answer_about_a_chain_has_nothing_that_was_not_asked_for(shared_client: TestClient) -> None:
    answer = shared_client.post(f"{STRUCTURE}/reachability", json={"layers": CHAIN}).json()

    assert set(answer) == {"layers", "depths", "first_full_depth", "warnings"}
    assert all(depth["paths"] is None for depth in answer["depths"])
    assert [depth["connected_parts"] for depth in answer["depths"]] == [1, 1, 1]


def test_everything_about_a_chain_is_answered_as_the_library_does(shared_client: TestClient) -> None:
    wanted = {"paths": True, "heatmaps": True, "locality": True, "compare": True}
    body = {"layers": CHAIN, **wanted, "pair": {"input": 5, "output": 47}, "rank": {"seed": 3}}
    answer = shared_client.post(f"{STRUCTURE}/reachability", json=body).json()

    plain = structure.reachability(LAYERS, paths=True).to_dict()
    assert {key: answer[key] for key in plain} == json.loads(json.dumps(plain))
    assert answer["depths"][2]["paths"]["logarithmic"] is False
    assert answer["heatmaps"] == without_layers(structure.heatmaps(LAYERS))
    assert answer["locality"] == without_layers(structure.locality(LAYERS))
    assert answer["compare"] == without_layers(structure.compare(LAYERS))
    assert answer["pair"] == without_layers(structure.trace(LAYERS, 5, 47))
    assert answer["rank"] == without_layers(structure.rank(LAYERS, 3))


@pytest.mark.parametrize(
    ("name", "value"), [("heatmaps", True), ("compare", True), ("pair", {"input": 0, "output": 0})]
)
def test_each_question_adds_its_own_key_alone(shared_client: TestClient, name: str, value: Any) -> None:
    plain = shared_client.post(f"{STRUCTURE}/reachability", json={"layers": CHAIN}).json()
    answer = shared_client.post(f"{STRUCTURE}/reachability", json={"layers": CHAIN, name: value}).json()

    assert answer.pop(name)
    assert answer == plain


def test_path_counts_that_grow_past_every_integer_are_marked_as_logarithms(shared_client: TestClient) -> None:
    layer = {"in_features": 2**20, "out_features": 2**20, "n_blocks": 8}
    body = {"layers": [layer] * 48, "paths": True, "pair": {"input": 0, "output": 2**20 - 1}}
    answer = shared_client.post(f"{STRUCTURE}/reachability", json=body).json()

    assert answer["depths"][47]["paths"]["logarithmic"] is True
    paths = answer["pair"]["paths"]
    assert paths["count"] is None
    assert len(paths["text"]) == int(paths["log10"]) + 1


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_chosen_feature_names_its_neighbours(shared_client: TestClient, side: str) -> None:
    body = SIZES | {"feature": {"side": side, "index": 23}}
    answer = shared_client.post(f"{STRUCTURE}/connectivity", json=body).json()
    found = structure.neighbours(DyadGeometry(**SIZES), **{side: 23})  # type: ignore[arg-type]

    assert answer.pop("neighbours") == {key: value for key, value in found.to_dict().items() if key != "geometry"}
    assert answer == shared_client.post(f"{STRUCTURE}/connectivity", json=SIZES).json()


def test_advice_is_the_librarys(shared_client: TestClient) -> None:
    body = {"in_features": 96, "out_features": 384, "variants": ["ot", "bd"], "grains": [1, 2]}
    answer = shared_client.post(f"{STRUCTURE}/advice", json=body).json()

    expected = structure.advice(96, 384, variants=("ot", "bd"), grains=(1, 2)).to_dict()
    assert answer == json.loads(json.dumps(expected))
    assert answer["choices"][answer["recommended"]]["n_blocks"] == 4
    defaults = shared_client.post(f"{STRUCTURE}/advice", json={"in_features": 7, "out_features": 11}).json()
    assert defaults["recommended"] is None
    assert defaults["padding"]


def magnitudes(picture: dict[str, Any]) -> np.ndarray[Any, Any]:
    return decode_values(picture["magnitude"]["data"], picture["rows"], picture["columns"], "float16") * np.float64(
        picture["largest"]
    )


@pytest.mark.parametrize(("init", "scale"), [("paper", 1.0), ("variance_preserving", 1.5**0.5)])
def test_drawn_weights_are_pictured_beside_the_pattern(shared_client: TestClient, init: str, scale: float) -> None:
    plain = shared_client.post(f"{STRUCTURE}/pattern", json=SIZES).json()
    answer = shared_client.post(f"{STRUCTURE}/pattern", json=SIZES | {"weights": {"seed": 4, "init": init}}).json()

    picture = answer.pop("weights")
    assert answer == plain
    assert picture["source"] == {"kind": "drawn", "seed": 4, "init": init}
    drawn = realised_weight(DyadGeometry(**SIZES), np.random.default_rng(4)) * scale  # type: ignore[arg-type]
    assert np.allclose(magnitudes(picture), np.abs(drawn), rtol=1e-3, atol=0)
    assert np.allclose(picture["entries"], drawn, rtol=1e-6)


def test_uploaded_weights_are_pictured_by_window_and_part(shared_client: TestClient) -> None:
    matrix = np.random.default_rng(1).standard_normal((36, 24)).astype(np.float32)
    upload = send(shared_client, npy(matrix.T.copy()), name="mine").json()["id"]
    window = {"out_start": 4, "out_stop": 30, "in_start": 3, "in_stop": 20}
    pictures = {}
    for part in ("all", "kept", "dropped"):
        weights = {"upload": upload, "transpose": True, "part": part}
        answer = shared_client.post(f"{STRUCTURE}/pattern", json=SIZES | {"window": window, "weights": weights})
        pictures[part] = answer.json()["weights"]

    assert pictures["all"]["source"] == {
        "kind": "upload",
        "upload": upload,
        "file": "mine",
        "tensor": "array",
        "dtype": "float32",
        "transposed": True,
    }
    inside = realised_weight(DyadGeometry(**SIZES), np.random.default_rng(0)) != 0  # type: ignore[arg-type]
    for part, mask in (("all", True), ("kept", inside), ("dropped", ~inside)):
        expected = np.where(mask, matrix, 0)[4:30, 3:20]
        assert np.allclose(np.array(pictures[part]["entries"]), expected, rtol=1e-6)


def test_a_picture_of_weights_is_small_on_the_wire(shared_client: TestClient) -> None:
    body = {"in_features": 1024, "out_features": 4096, "weights": {}}
    answer = shared_client.post(f"{STRUCTURE}/pattern", json=body)

    assert int(answer.headers["content-length"]) < 300_000
    assert answer.json()["weights"]["rows"] <= 256


def test_a_chain_that_does_not_fit_says_which_layer_and_what_would(shared_client: TestClient) -> None:
    layers = [SIZES, {"in_features": 48, "out_features": 24, "n_blocks": 3}]
    (error,) = shared_client.post(f"{STRUCTURE}/reachability", json={"layers": layers}).json()["errors"]

    assert error["field"] == "layers.1.in_features"
    assert error["suggestion"] == "set in_features=36, or out_features=48 in layers.0"


def test_weights_of_other_sizes_say_which_sizes_would_do(shared_client: TestClient) -> None:
    upload = send(shared_client, npy(np.ones((24, 36), dtype=np.float32))).json()["id"]
    answer = shared_client.post(f"{STRUCTURE}/pattern", json=SIZES | {"weights": {"upload": upload}})

    (error,) = answer.json()["errors"]
    assert error["field"] == "weights.tensor"
    assert error["suggestion"] == "set in_features=36 and out_features=24, or transpose=true"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("pattern", SIZES | {"weights": []}, "weights"),
        ("pattern", SIZES | {"weights": {"seed": -1}}, "weights.seed"),
        ("pattern", SIZES | {"weights": {"seed": 0.5}}, "weights.seed"),
        ("pattern", SIZES | {"weights": {"init": "zeros"}}, "weights.init"),
        ("pattern", SIZES | {"weights": {"init": []}}, "weights.init"),
        ("pattern", SIZES | {"weights": {"x": 1}}, "weights.x"),
        ("pattern", SIZES | {"weights": {"upload": 1}}, "weights.upload"),
        ("pattern", SIZES | {"weights": {"upload": "0" * 32}}, "weights.upload"),
        ("pattern", SIZES | {"weights": {"upload": "../x", "part": "half"}}, "weights.part"),
        ("pattern", SIZES | {"weights": {"upload": "x", "seed": 1}}, "weights.seed"),
        ("pattern", {"in_features": 4096, "out_features": 4096, "weights": {}}, "weights"),
        (
            "pattern",
            SIZES | {"weights": {}, "window": {"out_start": 0, "out_stop": 37, "in_start": 0, "in_stop": 1}},
            "window.out_stop",
        ),
        ("connectivity", SIZES | {"feature": 3}, "feature"),
        ("connectivity", SIZES | {"feature": {"side": "input"}}, "feature.index"),
        ("connectivity", SIZES | {"feature": {"side": "left", "index": 0}}, "feature.side"),
        ("connectivity", SIZES | {"feature": {"side": {}, "index": 0}}, "feature.side"),
        ("connectivity", SIZES | {"feature": {"side": "input", "index": 24}}, "feature.index"),
        ("connectivity", SIZES | {"feature": {"side": "output", "index": -1}}, "feature.index"),
        ("connectivity", SIZES | {"feature": {"side": "output", "index": "0"}}, "feature.index"),
        ("reachability", {"layers": CHAIN, "paths": 1}, "paths"),
        ("reachability", {"layers": CHAIN, "heatmaps": None}, "heatmaps"),
        ("reachability", {"layers": CHAIN, "compare": "true"}, "compare"),
        ("reachability", {"layers": CHAIN, "pair": [0, 0]}, "pair"),
        ("reachability", {"layers": CHAIN, "pair": {"input": 0}}, "pair.output"),
        ("reachability", {"layers": CHAIN, "pair": {"input": 24, "output": 0}}, "pair.input"),
        ("reachability", {"layers": CHAIN, "pair": {"input": 0, "output": 1.0}}, "pair.output"),
        ("reachability", {"layers": CHAIN, "rank": {"seed": -1}}, "rank.seed"),
        ("reachability", {"layers": CHAIN, "rank": True}, "rank"),
        ("reachability", {"layers": [{"in_features": 2048, "out_features": 2048}], "rank": {}}, "layers.0.in_features"),
        (
            "reachability",
            {"layers": [{"in_features": 256, "out_features": 256, "n_blocks": 128}], "paths": True},
            "layers.0.n_blocks",
        ),
        ("advice", {"in_features": 8}, "out_features"),
        ("advice", {"in_features": 0, "out_features": 8}, "in_features"),
        ("advice", {"in_features": None, "out_features": 8}, "in_features"),
        ("advice", {"in_features": 2**21, "out_features": 8}, "in_features"),
        ("advice", {"in_features": 8, "out_features": 8, "variants": "it"}, "variants"),
        ("advice", {"in_features": 8, "out_features": 8, "variants": [["it"]]}, "variants"),
        ("advice", {"in_features": 8, "out_features": 8, "variants": ["xx"]}, "variants.0"),
        ("advice", {"in_features": 8, "out_features": 8, "grains": []}, "grains"),
        ("advice", {"in_features": 8, "out_features": 8, "grains": [0]}, "grains.0"),
        ("advice", {"in_features": 8, "out_features": 8, "grains": list(range(1, 10))}, "grains"),
        ("advice", {"in_features": 8, "out_features": 8, "depth": 2}, "depth"),
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
