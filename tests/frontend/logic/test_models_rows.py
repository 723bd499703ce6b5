"""Rows of whole models: costs, groups of layers, measurements and parts."""

import pytest
from made_up_models import made_estimate, made_run

from dyad_core.models.spec import EstimateSpec, ModelSpec
from frontend.logic.models_cost import candidate_label, compared_records, cost_rows, flops_words, large
from frontend.logic.models_layers import group_records, groups_of, layers_sentence, pattern_of
from frontend.logic.models_measured import measured_records, memory_rows, model_rows, part_stacks, passes_measured
from frontend.logic.models_words import reading_lines


@pytest.mark.parametrize(
    ("value", "said"), [(125.24e6, "125.2 M"), (1.3157e9, "1.32 G"), (999, "999"), (6.5e3, "6.50 k"), (0, "0")]
)
def test_large_numbers_are_said_shortly(value: float, said: str) -> None:
    assert large(value) == said


@pytest.mark.parametrize(
    ("flops", "said"),
    [(64.1e9, "64.1 GFLOP"), (2.5e12, "2.50 TFLOP"), (7e15, "7.00 PFLOP"), (3e6, "3.00 MFLOP"), (12, "12 FLOP")],
)
def test_arithmetic_is_said_with_its_unit(flops: float, said: str) -> None:
    assert flops_words(flops) == said


def test_labels_tell_modes_apart() -> None:
    assert candidate_label("dense", None, None) == "dense"
    assert candidate_label("it", 4, "layers") == "IT n=4"
    assert candidate_label("dt", 8, "feed_forward") == "DT n=8 pair"


def test_shares_are_of_dense_and_what_cannot_be_built_says_why() -> None:
    records = compared_records(cost_rows(made_estimate(EstimateSpec("opt-125m", n_blocks=(4, 7))).to_dict()))

    assert records[0]["parameters (% of dense)"] == 100
    assert records[1]["parameters (% of dense)"] == pytest.approx(77.4, abs=0.1)
    assert records[2] == {"model": "IT n=7", "why not": records[2]["why not"]}
    assert "divisible" in records[2]["why not"]


def test_layers_that_repeat_are_one_group_and_replaced_ones_come_first() -> None:
    groups = groups_of(made_estimate(EstimateSpec("opt-350m")).to_dict()["layers"])

    assert [(group.count, group.pattern) for group in groups[:2]] == [
        (24, "model.decoder.layers.*.fc1"),
        (24, "model.decoder.layers.*.fc2"),
    ]
    assert [group.picked for group in groups] == [True, True, False, False, False, False, False]
    assert groups[0].parameters == 24 * (1024 * 4096 + 4096)
    assert layers_sentence(groups).startswith("**48 of 145 linear layers are replaced**")
    assert group_records(groups)[-1]["becomes"].startswith("stays: its weight is tied")


def test_names_of_experts_and_sizes_that_differ_are_kept_apart() -> None:
    assert pattern_of("model.layers.3.experts.11.w1") == "model.layers.*.experts.*.w1"
    row = {"kind": "feed_forward", "out_features": 64, "bias": False, "picked": True}
    layers = [row | {"name": f"layers.{at}.fc", "in_features": 32 if at < 2 else 48} for at in range(5)]

    assert [(group.count, group.in_features) for group in groups_of(layers)] == [(2, 32), (3, 48)]
    assert layers_sentence(groups_of([])).startswith("**No layer is replaced**")


def test_rows_are_in_the_order_of_passes_dense_first() -> None:
    candidates = made_run(ModelSpec("opt-125m", passes=("decode", "train_step"))).to_dict()["candidates"]
    rows = model_rows(list(reversed(candidates[:3])) + candidates[3:])

    assert passes_measured(rows) == ["decode", "train_step"]
    assert [row.is_dense for row in rows] == [True, False, False, True, False, False]
    assert {len(record) for record in measured_records(rows)} == {18}


def test_parts_belong_to_the_model_that_has_them() -> None:
    result = made_run(ModelSpec("opt-125m", passes=("train_step", "decode"))).to_dict()
    rows = model_rows(result["candidates"])
    stacks = part_stacks(result["parts"], rows, "train_step")

    assert [stack.label for stack in stacks] == ["dense", "IT n=4", "IT n=8"]
    assert stacks[1].total_ms == pytest.approx(1480 * (0.38 + 0.62 / 1.8))
    assert stacks[1].counts == {
        "rest_of_block": 12,
        "outside_of_blocks": 1,
        "optimizer_rest": 1,
        "feed_forward": 12,
    }
    kept = [part for part in result["parts"] if part["variant"] != "it"]
    assert [stack.label for stack in part_stacks(kept, rows, "train_step")] == ["dense"], (
        "a sum without its core is none"
    )
    assert part_stacks([], rows, "train_step") == []


def test_what_is_foretold_of_the_dense_model_comes_from_its_deviation() -> None:
    candidates = made_run(ModelSpec("opt-125m")).to_dict()["candidates"]
    candidates[0]["deviation"] = -0.1

    dense, n4, _ = model_rows(candidates)
    assert dense.predicted_ms == pytest.approx(0.9 * 1480)
    assert n4.predicted_ms == candidates[1]["prediction"]["predicted_ms"]
    assert model_rows([candidates[0] | {"deviation": None}])[0].predicted_ms is None


def test_memory_foretold_is_split_where_arithmetic_splits_it() -> None:
    """The bar of a prediction ended at its parameters and left the state of the optimizer out."""
    candidates = made_run(ModelSpec("opt-125m")).to_dict()["candidates"]
    candidates[1]["memory_predicted"] |= {"temporaries_bytes": None, "outputs_bytes": None}

    use = memory_rows(model_rows(candidates), "train_step")[1].predicted
    assert use is not None
    assert use.is_split
    assert use.optimizer_state_bytes == candidates[1]["memory"]["optimizer_state_bytes"]


def test_a_reading_of_several_findings_is_a_heading_and_a_list() -> None:
    assert reading_lines("It is faster.") == "### It is faster."
    assert reading_lines("a model: one; the *prefill* too") == "### a model: one\n\n- **The \\*prefill\\* too**"
