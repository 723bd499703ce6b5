"""The figures of whole models: what they show in which unit, and that they keep their look."""

from dataclasses import replace

import pytest
from made_up_models import made_estimate, made_run

from dyad_core.models.spec import EstimateSpec, ModelSpec
from frontend.figures.model_amdahl import Point, amdahl_alt, amdahl_figure, whole
from frontend.figures.model_kinds import kinds_alt, kinds_figure
from frontend.figures.model_marks import KINDS, MEMORY, PARTS, PASSES
from frontend.figures.model_memory import model_memory_alt, model_memory_figure
from frontend.figures.model_parts import parts_alt, parts_figure
from frontend.figures.model_speed import whole_alt, whole_figure
from frontend.figures.model_times import step_alt, step_figure
from frontend.logic.models_cost import KINDS as KIND_NAMES
from frontend.logic.models_cost import QUANTITIES, CostRow, cost_rows
from frontend.logic.models_measured import ModelRow, PartStack, model_rows, part_stacks

GIB = 2**30


@pytest.fixture
def rows() -> list[CostRow]:
    spec = EstimateSpec("opt-350m", n_blocks=(4, 7, 8), variants=("it", "dt"))
    return cost_rows(made_estimate(spec, measured=True).to_dict())


@pytest.fixture
def measured() -> list[ModelRow]:
    return model_rows(made_run(ModelSpec("opt-125m", passes=("train_step", "decode"))).to_dict()["candidates"])


def bars(figure, label: str) -> dict[str, float]:
    """Name and length of each part of one bar."""
    traces = [trace for trace in figure.data if trace.type == "bar"]
    return {trace.name: trace.x[list(trace.y).index(label)] for trace in traces}


def test_parameters_are_stacked_by_kind_in_millions(rows: list[CostRow]) -> None:
    figure = kinds_figure(rows, "parameters")

    dense, n4 = bars(figure, "dense"), bars(figure, "IT n=4")
    assert sum(dense.values()) == pytest.approx(rows[0].cost["parameters"] / 1e6)
    assert n4["feed-forward"] == pytest.approx(dense["feed-forward"] / 2, rel=0.01)
    assert n4["attention"] == dense["attention"]
    assert figure.layout.xaxis.title.text == "parameters (millions)"
    assert next(note.text for note in figure.layout.annotations if note.y == "IT n=7").startswith("∅ cannot be built")
    assert "IT n=4 255.2 M (72 %)" in kinds_alt(rows, "parameters")
    assert "IT n=7 cannot be built" in kinds_alt(rows, "parameters")


@pytest.mark.parametrize("quantity", list(QUANTITIES))
def test_every_quantity_has_its_unit_and_the_words_behind_every_bar(rows: list[CostRow], quantity: str) -> None:
    figure = kinds_figure(rows, quantity)
    (said,) = (trace.text for trace in figure.data if trace.type == "scatter" and trace.mode == "text")

    unit = {"parameters": "(millions)", "flops": "(GFLOP,", "activations": "(MiB)"}[quantity]
    assert unit in figure.layout.xaxis.title.text
    assert len(said) == 5
    assert all("%" in text for text in said[1:])


def test_memory_stands_with_and_without_checkpointing_and_sums_up(rows: list[CostRow]) -> None:
    figure = model_memory_figure(rows)
    memory = rows[0].memory
    assert memory is not None

    assert "GiB" in figure.layout.xaxis.title.text
    assert sum(bars(figure, "dense").values()) == pytest.approx(memory["train_bytes"] / GIB)
    assert bars(figure, "dense checkpointed")["activations"] == memory["activations_checkpointed_bytes"] / GIB
    assert "dense checkpointed" in model_memory_alt(rows)
    assert set(bars(figure, "IT n=4")) == {"weights", "gradients", "optimizer state", "activations"}


def test_memory_while_generating_is_weights_and_cache(rows: list[CostRow]) -> None:
    figure = model_memory_figure(rows, training=False)

    assert set(bars(figure, "dense")) == {"weights", "cache of keys and values"}
    assert list(figure.layout.yaxis.categoryarray)[:2] == ["dense", "IT n=4"]
    assert model_memory_alt(rows, training=False).startswith("Memory of generating")


def points(rows: list[CostRow]) -> list[Point]:
    return [Point(row.label, row.variant, row.predictions[0], 1.5, 1.4, 1.6) for row in rows if row.predictions]


def test_predicted_marks_lie_on_the_curve_of_amdahl_and_below_its_ceiling(rows: list[CostRow]) -> None:
    figure = amdahl_figure(points(rows))
    curve = figure.data[0]
    predicted = next(trace for trace in figure.data if trace.name == "predicted")

    for x, y in zip(predicted.x, predicted.y, strict=True):
        assert y == pytest.approx(whole(0.62, x))
    assert curve.name == "training step: replaced share 62 %"
    assert max(curve.y) < 1 / (1 - 0.62)
    assert [text for text in predicted.text if text] == ["IT n=4 and 1 more", "IT n=8 and 1 more"], "none on another"
    assert (
        "62 % of the dense time becomes 1.80x as fast, so the whole 1.38x, at most 2.63x, measured 1.50x"
        in amdahl_alt(points(rows))
    )


def test_amdahls_law_is_exact_at_its_ends() -> None:
    assert whole(0.0, 100.0) == 1.0
    assert whole(1.0, 3.0) == pytest.approx(3.0)
    assert whole(0.5, 1e12) == pytest.approx(2.0)


def test_a_pass_has_median_quartiles_and_prediction_in_one_row(measured: list[ModelRow]) -> None:
    own = [row for row in measured if row.pass_name == "train_step"]
    figure = step_figure(own)
    it = next(trace for trace in figure.data if trace.name == "IT, measured")
    predicted = next(trace for trace in figure.data if trace.name == "predicted from its layers")

    assert list(it.x) == [row.median_ms for row in own[1:]]
    assert it.error_x.array[0] == pytest.approx(0.02 * own[1].median_ms)
    assert list(predicted.x) == [row.prediction["predicted_ms"] for row in own[1:]]
    assert [low < high for low, high in zip(it.y, predicted.y, strict=True)] == [True, True]
    assert list(figure.layout.yaxis.ticktext) == ["dense", "IT n=4", "IT n=8"]
    assert "(ms" in figure.layout.xaxis.title.text
    assert "predicted 1072 ms, -5.7 %" in step_alt(own)


def test_long_steps_are_drawn_in_seconds(measured: list[ModelRow]) -> None:
    long = [replace(row, median_ms=30_000.0, q1_ms=29_000.0, q3_ms=31_000.0, prediction=None) for row in measured[:1]]
    figure = step_figure(long)

    assert "(s," in figure.layout.xaxis.title.text
    assert figure.data[0].x[0] == 30.0


def test_the_whole_has_interval_prediction_and_ceiling_of_every_pass(measured: list[ModelRow]) -> None:
    figure = whole_figure(measured)
    traces = {trace.name: trace for trace in figure.data}

    assert list(figure.layout.yaxis.ticktext) == [
        "IT n=4, training step",
        "IT n=8, training step",
        "IT n=4, decode",
        "IT n=8, decode",
    ]
    assert list(traces["decode"].y) == [2, 3]
    assert traces["training step"].x[0] == measured[1].speedup
    assert traces["ceiling: layers that cost nothing"].x[0] == pytest.approx(1 / 0.38)
    low, high = figure.layout.xaxis.range
    assert 10**low < 1 < 1 / 0.38 < 10**high
    assert "ceiling 2.63x" in whole_alt(measured)


@pytest.mark.parametrize("outcome", ["incorrect", "out_of_memory", "unsupported", "failed"])
def test_a_candidate_without_a_speed_says_why_in_every_figure(measured: list[ModelRow], outcome: str) -> None:
    gone = dict.fromkeys(("median_ms", "q1_ms", "q3_ms", "speedup", "speedup_low", "speedup_high", "prediction"))
    rows = [measured[0], *(replace(row, outcome=outcome, **gone) for row in measured[1:3])]

    assert len([note for note in whole_figure(rows).layout.annotations if "dense" not in note.text]) == 2
    assert len(step_figure(rows).layout.annotations) == 2
    assert "predicted" not in whole_alt(rows)


def test_the_parts_of_a_step_add_up_and_the_whole_is_marked() -> None:
    result = made_run(ModelSpec("opt-125m")).to_dict()
    stacks = part_stacks(result["parts"], model_rows(result["candidates"]), "train_step")
    figure = parts_figure(stacks)
    marked = next(trace for trace in figure.data if trace.name == "the whole, measured")

    assert sum(bars(figure, "dense").values()) == pytest.approx(1480)
    assert bars(figure, "IT n=4")["what is replaced"] == pytest.approx(0.62 * 1480 / 1.8)
    assert list(marked.x)[0] == 1480
    assert "dense 1480 ms (measured 1480 ms)" in parts_alt(stacks, "train_step")
    assert any("12 × " in text for trace in figure.data for text in trace.customdata or () if isinstance(text, str))


def test_a_part_that_only_a_newer_service_knows_is_drawn_by_its_name() -> None:
    stack = PartStack("dense", {"router": 3.0, "feed_forward": 1.0}, {"router": 1, "feed_forward": 2}, None)

    assert bars(parts_figure([stack]), "dense") == {"what is replaced": 1.0, "router": 3.0}
    assert "router 3.00 ms" in parts_alt([stack], "train_step")


def test_no_look_is_used_twice_in_one_figure() -> None:
    for marks in (KINDS, MEMORY, PARTS, PASSES):
        looks = [(mark.color, mark.hatch) for mark in marks.values()]
        assert len(set(looks)) == len(looks)
        assert len({mark.color for mark in marks.values()}) == len(marks)
    assert set(KINDS) == set(KIND_NAMES)
