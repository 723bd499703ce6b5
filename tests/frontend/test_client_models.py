"""The calls about whole models against the real service."""

import pytest

from frontend.client import ApiClient, ApiProblemError
from frontend.logic.models_cost import cost_rows
from frontend.logic.models_layers import found_records, groups_of

TINY = {
    "model_type": "opt",
    "hidden_size": 32,
    "ffn_dim": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "word_embed_proj_dim": 32,
    "vocab_size": 99,
    "max_position_embeddings": 64,
}
REQUEST = {"config": TINY, "n_blocks": [4, 5], "sequence": 16}


def test_presets_have_what_the_choice_says(api: ApiClient) -> None:
    presets = {each["name"]: each for each in api.model_presets()}

    assert presets["opt-125m"]["parameters"] == 125_239_296
    assert presets["opt-125m"]["config"]["model_type"] == presets["opt-125m"]["model_type"] == "opt"


def test_an_estimate_has_the_shape_that_the_figures_read(api: ApiClient) -> None:
    found = api.estimate_model(REQUEST)
    dense, n4, n5 = cost_rows(found)

    assert dense.cost is not None
    assert n4.cost is not None
    assert sum(each["parameters"] for each in n4.kinds.values()) == n4.cost["parameters"] < dense.cost["parameters"]
    assert n5.cost is None
    assert n5.problems
    assert n4.lines
    assert [group.count for group in groups_of(found["layers"]) if group.picked] == [2, 2]


def test_a_measurement_is_submitted_listed_and_cancelled(api: ApiClient) -> None:
    job_id = api.submit_model(REQUEST | {"n_blocks": [4], "max_seconds": 600.0})["id"]

    assert job_id in {each["id"] for each in api.model_runs(limit=5)["items"]}
    assert api.cancel_model(job_id)["id"] == job_id
    assert api.model_run(job_id)["spec"]["config"] == TINY
    with pytest.raises(ApiProblemError) as caught:
        api.export_model(job_id, "json")
    assert caught.value.status in (404, 409)


def test_refusals_name_every_field_and_list_the_layers_of_what_is_not_known(api: ApiClient) -> None:
    with pytest.raises(ApiProblemError) as caught:
        api.estimate_model(REQUEST | {"batch": 0, "dtype": "float31"})
    assert {entry["field"] for entry in caught.value.errors} == {"batch", "dtype"}

    bloom = {"model_type": "bloom", "hidden_size": 64, "n_layer": 2, "n_head": 4, "vocab_size": 99}
    with pytest.raises(ApiProblemError) as caught:
        api.estimate_model({"config": bloom})
    assert found_records(caught.value.errors)[:2] == [
        {"layers": 2, "name": "transformer.h.*.self_attention.query_key_value", "sizes": "64 → 192"},
        {"layers": 2, "name": "transformer.h.*.self_attention.dense", "sizes": "64 → 64"},
    ]
