"""Controls, requests and addresses of the Models page: there and back."""

import json
import shlex

import pytest

from dyad_core.models.spec import EstimateSpec, ModelSpec
from frontend.logic import models_query, models_words
from frontend.logic.models_config import ConfigError
from frontend.logic.models_request import (
    CHOICES,
    CUSTOM,
    DEFAULTS,
    ESTIMATED,
    MEASURED,
    command_line,
    curl,
    estimate_request,
    measure_request,
    summary,
    to_controls,
)

OWN = {"model_type": "opt", "num_hidden_layers": 2}
CHANGED = {
    **DEFAULTS,
    "model": CUSTOM,
    "config_text": json.dumps(OWN),
    "n_blocks": ["8", "4", "x"],
    "variants": ["ot", "bd"],
    "modes": ["layers", "feed_forward"],
    "names": ["*.fc1", "model.layers.?.mlp.*"],
    "dtype": "bfloat16",
    "optimizer": "sgd",
    "checkpointing": True,
    "passes": ["prefill"],
    "parts": False,
    "threads": 2,
    "max_seconds": 12.5,
    "seed": 3,
}


def test_defaults_and_choices_are_those_of_the_library() -> None:
    spec = ModelSpec("opt-125m")
    fields = {name: value for name, value in spec.to_dict().items() if name != "config"}

    assert fields == {**ESTIMATED, **MEASURED}
    assert spec.config == DEFAULTS["model"]
    for name, allowed in CHOICES.items():
        for value in allowed:
            ModelSpec("opt-125m", **{name: value})


def test_the_controls_make_a_request_that_the_library_takes() -> None:
    asked = measure_request(CHANGED | {"n_blocks": ["8", "4"]})

    assert asked["n_blocks"] == [4, 8]
    assert asked["config"] == OWN
    assert ModelSpec.from_dict(asked).passes == ("prefill",)
    assert EstimateSpec.from_dict(estimate_request(CHANGED | {"n_blocks": ["4"]})).names == (
        "*.fc1",
        "model.layers.?.mlp.*",
    )
    assert estimate_request(CHANGED)["n_blocks"] == [4, 8, "x"], "the service says what it thinks of it"


def test_a_text_that_is_no_object_makes_no_request() -> None:
    with pytest.raises(ConfigError):
        estimate_request(CHANGED | {"config_text": "nothing"})


def test_a_request_fills_the_controls_again() -> None:
    asked = measure_request(CHANGED | {"n_blocks": ["4", "8"]})

    assert measure_request(to_controls(asked)) == asked
    strange = to_controls({"config": "opt-350m", "dtype": "float4", "passes": ["train_step", "dream"]})
    assert (strange["dtype"], strange["passes"]) == ("float32", ["train_step"])


def test_the_address_says_what_differs_and_gives_it_back() -> None:
    held = models_query.write({**CHANGED, "job": "ab12"})
    found = models_query.read(held)

    assert models_query.write(DEFAULTS) == {"model": "opt-125m"}
    assert set(held) <= set(models_query.NAMES)
    assert found.pop("job") == "ab12"
    assert json.loads(found.pop("config_text")) == OWN
    assert found == {name: value for name, value in CHANGED.items() if name != "config_text"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("batch", "many"),
        ("batch", "9" * 17),
        ("seed", str(2**53)),
        ("max_seconds", "inf"),
        ("max_seconds", "nan"),
        ("dtype", "float4"),
        ("passes", "train_step,dream"),
        ("checkpointing", "yes"),
        ("names", "x" * 3000),
        ("config", "rubbish"),
    ],
)
def test_what_cannot_be_read_of_an_address_is_left_out(name: str, text: str) -> None:
    assert models_query.read({name: text}) == models_query.read({})


def test_an_emptied_list_stays_empty() -> None:
    held = models_query.write({**DEFAULTS, "variants": []})

    assert models_query.read(held)["variants"] == []
    assert summary(measure_request({**DEFAULTS, "variants": []})).startswith("Choose at least one")


def test_the_summary_counts_candidates_and_names_passes_and_budget() -> None:
    asked = measure_request({**DEFAULTS, "passes": ["train_step", "prefill", "decode"], "variants": ["it", "dt"]})

    assert summary(asked) == (
        "4 candidates against the dense model: training step, prefill and decode, timed for at most 2 min 00 s."
    )


def test_rest_and_command_line_say_the_same_shortly() -> None:
    asked = measure_request(DEFAULTS)
    line = curl(asked, "http://box", measure=True)
    body = json.loads(shlex.split(line)[-1])

    assert "http://box/api/v1/models/measurements" in line
    assert ModelSpec.from_dict(body) == ModelSpec.from_dict(asked)
    assert command_line(asked, measure=True) == (
        "dyad model measure opt-125m --blocks 4 8 --variants it --batch 1 --sequence 256"
    )
    own = estimate_request(CHANGED | {"n_blocks": ["4"]})
    assert command_line(own, measure=False).startswith("dyad model estimate --config config.json --blocks 4")
    assert "'*.fc1'" in command_line(own, measure=False), "a shell must not read the star"


def test_what_was_asked_in_one_line() -> None:
    spec = ModelSpec(OWN, modes=("layers", "feed_forward"), checkpointing=True, optimizer="none", grain=2).to_dict()

    assert models_words.job_line(spec) == (
        "opt of one's own · IT · n = 4, 8 · by itself and as a pair · training step · batch 1 × 256 tokens · float32 · "
        "no optimizer · checkpointing · grain 2 · cpu"
    )
