"""Estimates of whole models: the figures of design and paper, candidates that cannot be, bad input, steps foretold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad_core.errors import SpecError
from dyad_core.models import EstimateSpec, ModelEstimate, build, estimate, read_config, swap
from dyad_core.models.cost.estimate import answer, foretold
from dyad_core.models.cost.tracing import trace
from dyad_core.models.records import PartTime

OPT = {
    "model_type": "opt",
    "vocab_size": 80,
    "hidden_size": 32,
    "ffn_dim": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "word_embed_proj_dim": 32,
    "max_position_embeddings": 512,
}
LLAMA = {
    "model_type": "llama",
    "vocab_size": 80,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}


def times(own: float = 5.0) -> list[PartTime]:
    def part(name: str, variant: str | None, ms: float) -> PartTime:
        n, mode = (None, None) if variant in (None, "dense") else (4, "layers")
        return PartTime(name, "train_step", variant, n, mode, 3, (ms,), ms, ms, ms)  # type: ignore[arg-type]

    return [part("feed_forward", "dense", 10.0), part("feed_forward", "it", own), part("rest_of_block", None, 10.0)]


@pytest.mark.parametrize(
    ("name", "dense", "four", "eight"),
    [("opt-125m", 125.2, 96.9, 82.8), ("opt-350m", 331.2, 230.5, 180.2)],
)
def test_the_figures_of_the_design(name: str, dense: float, four: float, eight: float) -> None:
    found = estimate(name, (4, 8))
    counts = [found.dense.parameters, *(each.cost.parameters for each in found.candidates if each.cost)]
    assert [round(count / 1e6, 1) for count in counts] == [dense, four, eight]


def test_counts_of_the_presets_are_those_of_the_published_checkpoints() -> None:
    from dyad_core.models import PRESETS

    for name in ("pythia-160m", "gpt2"):
        assert estimate(name).dense.parameters == PRESETS[name].parameters


@settings(max_examples=10, deadline=None)
@given(
    config=st.sampled_from([OPT, LLAMA]),
    n_blocks=st.sampled_from([1, 2, 4, 8, 16]),
    variant=st.sampled_from(["it", "ot", "dt", "bd"]),
    sequence=st.integers(1, 64),
    dtype=st.sampled_from(["float32", "bfloat16", "float64"]),
)
def test_candidates_have_the_parameters_of_the_swapped_model(
    config: dict[str, Any], n_blocks: int, variant: Any, sequence: int, dtype: Any
) -> None:
    found = estimate(config, n_blocks, variant, sequence=sequence, dtype=dtype, optimizer="sgd")
    model, _report = swap(build(config, dtype=dtype), n_blocks=n_blocks, variant=variant)
    assert found.dyad.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.dyad.memory.weights_bytes == sum(parameter.nbytes for parameter in model.parameters())
    assert found.dense.memory.kv_cache_bytes == found.dyad.memory.kv_cache_bytes


def test_a_candidate_that_cannot_be_says_why_and_fails_nothing() -> None:
    found = estimate(OPT, (4, 5), ("it",), modes=("layers", "feed_forward"))
    bad = [each for each in found.candidates if each.cost is None]
    assert {each.n_blocks for each in bad} == {5}
    for each in bad:
        assert each.problems
        assert all("n_blocks=5" in problem and "layers.*." in problem for problem in each.problems)
        assert each.lines == ""
    assert found.dyad.parameters < found.dense.parameters


def test_where_no_candidate_can_be_the_reading_says_so() -> None:
    found = estimate(OPT, (5, 7))
    assert found.reading.startswith("None of the 2 candidates can be built: model.decoder.layers.*.fc1")
    with pytest.raises(ValueError, match="n_blocks=5"):
        _ = found.dyad
    assert estimate(OPT, 5).reading.startswith("The candidate cannot be built")


def test_a_pair_as_one_module_is_refused_where_the_architecture_has_none() -> None:
    found = estimate(LLAMA, 4, modes=("layers", "feed_forward"))
    layers, pair = found.candidates
    assert layers.cost is not None
    assert pair.cost is None
    assert "layers" in " ".join(pair.problems)


def test_an_unknown_architecture_lists_its_layers_and_how_to_name_them() -> None:
    config = {"model_type": "mamba", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 80, "state_size": 4}
    with pytest.raises(SpecError, match=r"2 × backbone\.layers\.\*\.mixer\.in_proj .*names="):
        estimate(config)
    named = estimate(config, 4, names="backbone.layers.*.mixer.in_proj", sequence=8)
    assert [row.name for row in named.layers if row.picked] == [
        "backbone.layers.0.mixer.in_proj",
        "backbone.layers.1.mixer.in_proj",
    ]
    assert named.dyad.parameters < named.dense.parameters


def test_experts_chosen_by_token_are_counted_from_linear_layers_with_a_warning() -> None:
    config = {**LLAMA, "model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
    found = estimate(config, 4, names="model.layers.*.self_attn.*", sequence=8)
    assert "linear layers alone" in found.warnings[0]
    assert 0 < found.dyad.flops_forward < found.dense.flops_forward
    assert found.dense.memory.activations_bytes > 0


def test_a_candidate_that_cannot_be_followed_is_counted_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def untraceable(model: Any, batch: int, sequence: int) -> Any:
        if any("weight_blockdiag" in name for name, _ in model.named_parameters()):
            raise RuntimeError("it looks at values")
        return trace(model, batch, sequence)

    traced = estimate(OPT, (4, 8))
    monkeypatch.setattr("dyad_core.models.cost.estimate.trace", untraceable)
    found = estimate(OPT, (4, 8))
    assert "it looks at values" in found.warnings[0]
    assert found.dense.flops_forward < traced.dense.flops_forward  # attention is left out on both sides
    for mine, whole in zip(found.candidates, traced.candidates, strict=True):
        assert mine.cost is not None
        assert whole.cost is not None
        assert mine.cost.parameters == whole.cost.parameters
        saved = traced.dense.flops_forward - whole.cost.flops_forward
        assert found.dense.flops_forward - mine.cost.flops_forward == saved


def test_learned_positions_end_a_sequence_and_turned_ones_are_warned_about() -> None:
    with pytest.raises(SpecError, match="sequence: must be at most 512"):
        estimate(OPT, sequence=513)
    assert "longer than the 64" in estimate(LLAMA, sequence=65).warnings[0]


def test_numbers_beyond_any_machine_are_refused_before_anything_is_counted() -> None:
    with pytest.raises(SpecError, match="less than 2"):
        estimate(LLAMA, batch=2**20, sequence=2**24)
    with pytest.raises(SpecError, match="ask for 5 candidates at a time"):
        estimate({**LLAMA, "num_hidden_layers": 1000}, (1, 2, 4), ("it", "ot"))


def test_a_model_far_larger_than_this_machine_is_estimated() -> None:
    found = estimate(
        {"model_type": "llama", "hidden_size": 16384, "num_hidden_layers": 126, "intermediate_size": 53248}
    )
    assert found.dense.memory.weights_bytes > 2**40
    assert found.dyad.parameters < 0.7 * found.dense.parameters


def test_checkpointing_is_in_the_step_and_in_what_it_holds() -> None:
    plain, checkpointed = (estimate(OPT, 4, sequence=64, checkpointing=each).dense for each in (False, True))
    assert plain.flops_train_step < checkpointed.flops_train_step < 4 * plain.flops_forward + 1
    assert checkpointed.memory.train_bytes < plain.memory.train_bytes


def test_a_file_of_a_config_is_taken_like_its_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OPT), encoding="utf-8")
    assert estimate(path).dense == estimate(OPT).dense


def test_the_answer_is_json_and_names_what_it_answers() -> None:
    found = foretold(estimate(OPT, (4, 8)), times(), "a machine, a day")
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert values["spec"]["config"] == OPT
    assert (values["model_type"], values["name"]) == ("opt", "opt (3 layers, 32 wide)")
    assert values["candidates"][0]["predictions"][0]["pass"] == "train_step"


def test_steps_are_foretold_for_the_candidates_that_have_times_and_for_no_others() -> None:
    found = answer(EstimateSpec(config=OPT, n_blocks=(8, 4)), times(), "a machine, a day")
    eight, four = found.candidates
    assert eight.predictions == ()
    (step,) = four.predictions
    assert (step.dense_ms, step.predicted_ms) == (60.0, 45.0)
    assert found.measured == "a machine, a day"
    assert (
        "from layer times measured here the training step should take 45 ms instead of 60 ms (1.33x)" in found.reading
    )
    assert found.reading.startswith("With IT, n = 4")


def test_without_times_no_speed_is_promised() -> None:
    found = estimate(OPT, 4)
    assert found.measured is None
    assert "has not been measured here" in found.reading
    assert "faster" in found.reading
    assert "ms" not in found.reading.split()


def test_times_of_other_candidates_leave_no_trace_of_where_they_come_from() -> None:
    assert foretold(estimate(OPT, 8), times(), "a machine").measured is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"config": "opt-125"}, "did you mean opt-125m"),
        ({"config": {"model_type": "opt", "hidden_size": 2**40}}, "hidden_size"),
        ({"config": {**OPT, "auto_map": {"AutoModel": "evil.py"}}}, "auto_map"),
        ({"config": OPT, "n_blocks": 0, "dtype": "int8"}, "n_blocks"),
        ({"config": {**OPT, "num_attention_heads": 5}}, "num_heads|divisible"),
    ],
)
def test_wrong_requests_are_refused_with_sentences(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        estimate(**wrong)


def test_the_same_question_has_the_same_answer() -> None:
    first: ModelEstimate = estimate(OPT, 4)
    assert first == estimate(OPT, 4)


def test_a_config_of_transformers_and_its_file_are_as_good_as_its_name(tmp_path: Path) -> None:
    config = read_config("gpt2")
    config.save_pretrained(tmp_path)

    costs = [estimate(each, 4).candidates[0].cost for each in ("gpt2", config, tmp_path, str(tmp_path))]

    assert costs[0] is not None
    assert all(cost == costs[0] for cost in costs)
