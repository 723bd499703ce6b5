"""Estimates of whole models over REST: the record of the library, times that were measured, strangers' configs, and the presets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from model_tools import LLAMA, OPT, TINY, made_up_model_run, tiny
from service_tools import NewSettings, ended

from backend import estimating
from backend.app import create_app
from backend.jobs.context import Context
from backend.jobs.kind import Outcome
from backend.jobs.kinds.model import ModelKind, imported
from dyad_core.errors import BenchmarkFailed, ImplementationError
from dyad_core.models import PRESETS, EstimateSpec
from dyad_core.models.cost.estimate import answer, foretold
from dyad_core.models.spec import ModelSpec

MODELS = "/api/v1/models"
ASKED = {"config": OPT, "n_blocks": [4], "batch": 2, "sequence": 8}


class MadeUp(ModelKind):
    """Measurements that are over at once; the seed 7 fails."""

    def run(self, spec: dict[str, Any], context: Context) -> Outcome:
        if spec["seed"] == 7:
            raise BenchmarkFailed("it was not to be measured")
        return imported(json.dumps(made_up_model_run(spec=ModelSpec.from_dict(spec)).to_dict()).encode())[1]


@pytest.fixture(scope="module")
def models(new_settings: NewSettings) -> Iterator[TestClient]:
    with new_settings() as own, TestClient(create_app(own, kinds={"model": MadeUp()})) as client:
        yield client


def ask(client: TestClient, **changes: Any) -> Any:
    return client.post(f"{MODELS}/estimate", json=ASKED | changes)


def measured(client: TestClient, **changes: Any) -> str:
    answered = client.post(f"{MODELS}/measurements", json=TINY | changes)
    assert answered.status_code == 202, answered.text
    return str(ended(client, answered.json()["id"])["id"])


def errors(answered: Any) -> dict[str, str]:
    assert answered.headers["content-type"] == "application/problem+json"
    return {each["field"]: f"{each['rule']} {each['suggestion']}" for each in answered.json()["errors"]}


def test_the_presets_are_those_of_the_library(models: TestClient) -> None:
    items = models.get(f"{MODELS}/presets").json()["items"]
    assert [item["name"] for item in items] == list(PRESETS)
    for item in items:
        preset = PRESETS[item["name"]]
        assert item == {
            "name": preset.name,
            "model_type": preset.model_type,
            "parameters": preset.parameters,
            "config": preset.config,
            "source": preset.source,
        }


def test_an_estimate_is_the_record_of_the_library(models: TestClient) -> None:
    asked = ASKED | {"batch": 3, "variants": ["it", "dt"], "n_blocks": [4, 5], "modes": ["layers", "feed_forward"]}
    answered = models.post(f"{MODELS}/estimate", json=asked)
    assert answered.status_code == 200
    assert answered.json() == answer(EstimateSpec.from_dict(asked)).to_dict()


def test_steps_are_foretold_from_the_newest_measurement_of_the_same_work_here(models: TestClient) -> None:
    before = ask(models, sequence=16).json()
    assert (before["measured"], before["candidates"][0]["predictions"]) == (None, [])
    run = made_up_model_run(spec=tiny(sequence=16))
    measured(models, sequence=16)
    after = ask(models, sequence=16).json()
    assert after["measured"] == f"{run.environment.device_name}, 2026-01-02"
    spec = EstimateSpec.from_dict(ASKED | {"sequence": 16})
    assert after == foretold(answer(spec), run.parts, after["measured"]).to_dict()
    assert "measured here" in after["reading"]
    assert ask(models, sequence=17).json()["measured"] is None
    assert ask(models, sequence=16, dtype="bfloat16").json()["measured"] is None
    assert ask(models, sequence=16, optimizer="sgd").json()["measured"] is None


def test_times_of_another_machine_are_taken_only_when_they_are_named(models: TestClient) -> None:
    run = made_up_model_run(spec=tiny(sequence=24))
    kept = models.post(f"{MODELS}/measurements/import", json=run.to_dict())
    assert kept.status_code == 201, kept.text
    assert ask(models, sequence=24).json()["measured"] is None
    named = ask(models, sequence=24, measured=kept.json()["id"]).json()
    assert named["candidates"][0]["predictions"]


def test_a_measurement_of_other_work_of_none_or_without_a_result_is_refused(models: TestClient) -> None:
    other = measured(models, sequence=12)
    refused = ask(models, sequence=8, dtype="float64", measured=other)
    assert refused.status_code == 422
    assert "differs in sequence, dtype" in errors(refused)["measured"]
    assert ask(models, measured="0" * 32).status_code == 404
    assert ask(models, measured=5).status_code == 422
    failed = measured(models, seed=7)
    assert ask(models, measured=failed).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"config": "opt-125"}, "config", "did you mean opt-125m"),
        ({"config": "facebook/opt-125m"}, "config", "presets"),
        ({"config": "/etc/passwd"}, "config", "presets"),
        ({"config": {"hidden_size": 8}}, "config.model_type", "must name the architecture"),
        ({"config": {"model_type": "opt2"}}, "config.model_type", "near to it"),
        ({"config": {"model_type": "mamba", "num_hidden_layers": 2}}, "names", "2 × backbone.layers.*.mixer.in_proj"),
        ({"names": ["nothing.*"]}, "names", "model.decoder.layers.*.fc1"),
        ({"sequence": 65}, "sequence", "at most 64"),
        ({"dtype": "int8"}, "dtype", "must be one of"),
        ({"extra": 1}, "extra", "is not a field"),
        ({"config": {**OPT, "quantization_config": {"quant_method": "gptq"}}}, "config.quantization_config", ""),
    ],
)
def test_wrong_requests_are_refused_with_the_field_and_what_would_do(
    models: TestClient, wrong: dict[str, Any], field: str, said: str
) -> None:
    answered = ask(models, **wrong)
    assert answered.status_code == 422
    assert said in errors(answered)[field]


HOSTILE: list[dict[str, Any]] = [
    {**OPT, "num_hidden_layers": 10**9},
    {**OPT, "hidden_size": 2**62},
    {**OPT, "vocab_size": 10**15},
    {**OPT, "hidden_size": -8},
    {**OPT, "num_attention_heads": 0},
    {**OPT, "hidden_size": "wide"},
    {**OPT, "auto_map": {"AutoConfig": "evil--code.Config"}},
    {**OPT, "trust_remote_code": True},
    {**OPT, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
    {**OPT, "activation_function": "__import__('os')"},
    {**OPT, "__class__": "x"},
    {**OPT, "torch_dtype": "float128"},
    {**LLAMA, "rope_scaling": {"rope_type": "nothing", "factor": 1e300}},
    {**LLAMA, "num_key_value_heads": 3},
    {**LLAMA, "layer_types": ["full_attention"] * 10_000},
    {"model_type": "mixtral", "num_local_experts": 10**6},
    {"model_type": "llava", "vision_config": {"num_hidden_layers": 10**7}},
    {"model_type": "t5", "num_layers": 10**6},
    {"model_type": "../../etc/passwd"},
    {"model_type": ""},
]


@pytest.mark.parametrize("config", HOSTILE, ids=range(len(HOSTILE)))
def test_configs_of_strangers_are_answered_with_problems_and_never_fail_the_service(
    models: TestClient, config: dict[str, Any]
) -> None:
    answered = ask(models, config=config)
    if answered.status_code != 200:  # some values are harmless, and transformers takes them
        assert answered.status_code == 422, answered.text
        assert errors(answered)
    else:
        assert answered.json()["dense"]["parameters"] < 10**9


def test_an_estimate_is_made_once_and_the_oldest_are_forgotten(
    models: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[EstimateSpec] = []

    def counting(spec: EstimateSpec) -> Any:
        made.append(spec)
        return answer(spec)

    monkeypatch.setattr("dyad_core.models.cost.estimate.answer", counting)
    monkeypatch.setattr(estimating, "KEPT", 2)
    monkeypatch.setattr(estimating, "_kept", type(estimating._kept)())
    for grain in (1, 2, 1, 4, 1, 2):
        assert ask(models, grain=grain, sequence=5).status_code == 200
    assert [spec.grain for spec in made] == [1, 2, 4, 2]


def test_without_the_packages_for_models_the_answer_says_what_to_install(
    models: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(spec: EstimateSpec) -> Any:
        raise ImplementationError("pip install 'dyad-explorer[models]'")

    monkeypatch.setattr("dyad_core.models.cost.estimate.answer", missing)
    answered = ask(models, sequence=3)
    assert answered.status_code == 501
    assert "dyad-explorer[models]" in answered.json()["detail"]
