"""Decisions from made-up figures: every state, several passes, what is asked for, and what the run does not hold."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_cases import candidate, dense, finished

from dyad_core.bench.results import PassSampling
from dyad_core.errors import SpecError
from dyad_core.geometry import DyadGeometry
from dyad_core.verdict import DECISIONS, Verdict, decide, verdicts


@pytest.mark.parametrize(
    ("low", "high", "required", "decision"),
    [
        (1.5, 1.7, 1.0, "swap"),
        (1.0, 1.7, 1.0, "not_distinguishable"),
        (0.9, 1.0, 1.0, "not_distinguishable"),
        (0.5, 0.9, 1.0, "do_not_swap"),
        (1.05, 1.15, 1.2, "do_not_swap"),
        (1.1, 1.3, 1.2, "not_distinguishable"),
        (1.21, 1.3, 1.2, "swap"),
        (0.96, 0.98, 0.95, "swap"),
    ],
)
def test_the_interval_decides_against_what_is_asked_for(
    low: float, high: float, required: float, decision: str
) -> None:
    verdict = decide(finished(candidate(low, high)), required_speedup=required)

    assert verdict.decision == decision
    assert verdict.required_speedup == required
    assert verdict.depends_on == ""


@pytest.mark.parametrize(
    ("forward", "training", "decision"),
    [
        ((1.5, 1.7), (1.2, 1.3), "swap"),
        ((1.5, 1.7), (0.5, 0.9), "depends"),
        ((1.5, 1.7), (0.9, 1.1), "depends"),
        ((0.5, 0.7), (0.9, 1.1), "do_not_swap"),
        ((0.9, 1.2), (0.9, 1.1), "not_distinguishable"),
        ((1.5, 1.7), (None, None), "depends"),
        ((0.5, 0.7), (None, None), "depends"),
        ((None, None), (None, None), "no_evidence"),
    ],
)
def test_passes_that_disagree_make_it_depend_on_the_pass(forward, training, decision: str) -> None:
    missing = {"outcome": "failed", "detail": "it broke"}
    run = finished(
        candidate(*forward, **({} if forward[0] else missing)),
        candidate(*training, pass_="train_step", **({} if training[0] else missing)),
    )
    verdict = decide(run)

    assert verdict.decision == decision
    assert verdict.depends_on == ("the pass" if decision == "depends" else "")
    assert ("It depends on the pass: " in verdict.sentence) == (decision == "depends")
    assert [each.pass_ for each in verdict.passes] == ["forward", "train_step"]
    assert decide(run, passes=["forward"]).decision == verdict.passes[0].decision


def test_what_is_saved_is_the_runs_own_interval_in_milliseconds_and_bytes() -> None:
    (judged,) = decide(finished(candidate(1.5, 2.5))).passes
    time, memory = judged.time, judged.memory
    assert time is not None
    assert memory is not None

    assert (time.speedup, time.dense_ms, time.candidate_ms) == (2.0, 12.0, 6.0)
    assert (time.saved_low_ms, time.saved_ms, time.saved_high_ms) == pytest.approx((4.0, 6.0, 7.2))
    assert memory.parameters.saved_bytes == 9_449_472 - 4_730_880
    assert memory.parameters.share == pytest.approx(0.4993, abs=1e-3)
    assert memory.gradients.share is None
    assert memory.peak.dense_bytes == 9_452_032


def test_the_record_names_geometry_conditions_and_evidence() -> None:
    run = finished(
        candidate(), dtype="bfloat16", tokens=1, compile=True, cache="flushed", float32_matmul_precision="high"
    )
    verdict = decide(run, run_id="ab12", address="/runs/ab12")
    place, conditions = verdict.geometry, verdict.conditions

    assert (place.in_features, place.out_features, place.variant, place.n_blocks, place.grain) == (
        768,
        3072,
        "it",
        4,
        1,
    )
    assert (place.implementation, place.parameters, place.dense_parameters) == ("auto", 1_179_648, 2_359_296)
    assert conditions.text == (
        "AMD EPYC (2 threads), bfloat16, 1 token, 768→3072, float32 products high, compiled, cache flushed"
    )
    assert (conditions.compile, conditions.cache, conditions.origin) == (True, "flushed", "local")
    assert verdict.evidence == ("ab12",)
    assert verdict.sentence.endswith("(run /runs/ab12).")
    unnamed = decide(run)
    assert unnamed.evidence[0].startswith(run.spec.digest()[:12])
    assert unnamed.evidence[0] in unnamed.sentence


def test_all_candidates_best_first_and_the_ablation_last() -> None:
    run = finished(
        candidate(0.5, n_blocks=2),
        candidate(1.5, n_blocks=4),
        candidate(2.5, n_blocks=8),
        candidate(1.0, 1.1, n_blocks=6),
        candidate(3.5, n_blocks=4, variant="bd"),
    )
    found = [(each.geometry.variant, each.geometry.n_blocks, each.decision) for each in verdicts(run)]

    assert found == [
        ("it", 8, "swap"), ("it", 4, "swap"), ("it", 6, "not_distinguishable"), ("it", 2, "do_not_swap"), ("bd", 4, "swap"),
    ]  # fmt: skip
    assert decide(run).geometry.n_blocks == 8
    assert decide(run, variant="bd").geometry.variant == "bd"
    assert decide(run, n_blocks=2).decision == "do_not_swap"


def test_auto_is_one_candidate_whatever_it_took_in_each_pass() -> None:
    run = finished(
        candidate(1.5, implementation="eager"),
        candidate(1.1, implementation="concat", chosen_by_auto=False),
        candidate(1.4, implementation="transposed", pass_="train_step"),
        candidate(1.2, implementation="concat", pass_="train_step", chosen_by_auto=False),
        implementations=["auto", "concat"],
    )
    found = {each.geometry.implementation: each for each in verdicts(run)}

    assert set(found) == {"auto", "concat"}
    assert [each.implementation for each in found["auto"].passes] == ["eager", "transposed"]
    assert "IT n=4 (auto)" in found["auto"].sentence
    eager = decide(run, implementation="eager")
    assert eager.decision == "depends"
    assert "training step: the run is incomplete, it holds no such pass of this candidate" in eager.warnings


def test_without_a_speed_there_is_no_evidence_and_the_reason_is_said() -> None:
    broken = candidate(None, outcome="out_of_memory", detail="it asked for 3 GiB")
    verdict = decide(finished(broken))
    assert verdict.decision == "no_evidence"
    assert "forward has no figure, it ran out of memory (it asked for 3 GiB)" in verdict.sentence

    alone = candidate(1.5, outcome="measured", speedup=None, speedup_low=None, speedup_high=None)
    twin = dense(outcome="out_of_memory", median_ms=None, samples_ms=(), detail="no room")
    verdict = decide(finished(alone, twins=(twin,)))
    assert verdict.decision == "no_evidence"
    assert "the dense twin ran out of memory (no room), while it itself took" in verdict.sentence
    assert decide(finished(candidate(1.5), twins=())).passes[0].detail == "the run holds no dense twin of this pass"


@pytest.mark.parametrize(
    ("low", "speedup", "high"), [(0.0, 1.0, 2.0), (1.5, 1.2, 2.0), (-1.0, 1.0, 1.1), (5e-324, 1.0, 2.0)]
)
def test_an_interval_that_is_none_is_no_evidence(low: float, speedup: float, high: float) -> None:
    verdict = decide(finished(candidate(1.5, speedup_low=low, speedup=speedup, speedup_high=high)))

    assert verdict.decision == "no_evidence"


def test_quality_holds_back_a_gain_only_where_it_is_asked_for() -> None:
    run = finished(candidate())
    assert decide(run).decision == "swap"
    assert decide(run, max_loss=0.5).decision == "swap"
    assert "within the loss of 50 % accepted" in decide(run, max_loss=0.5).sentence
    strict = decide(run, max_loss=0.01)
    assert (strict.decision, strict.depends_on) == ("depends", "quality")
    assert "beyond the loss of 1 % accepted" in strict.sentence
    unknown = decide(finished(candidate(n_blocks=16)), max_loss=0.5)
    assert (unknown.decision, unknown.depends_on) == ("depends", "quality")
    assert "no published quality speaks for this structure at this size" in unknown.sentence
    assert decide(finished(candidate(0.5)), max_loss=0.01).decision == "do_not_swap"


def test_whose_figures_they_are_and_what_disturbed_them_comes_first() -> None:
    run = finished(candidate(), candidate(pass_="train_step"), dtype="float16")
    run = dataclasses.replace(
        run,
        environment=dataclasses.replace(run.environment, dtype_emulated=True),
        warnings=("a note", "train_step: other", "forward: disturbed: other work kept 1.0 of 2 processors busy"),
        sampling=(PassSampling("forward", 9, 3, "budget", 0.02, 0.051, 2.5, "a method"),),
    )
    verdict = decide(run, passes=["forward"], origin="imported")

    assert verdict.warnings[0].startswith("imported: measured on another machine")
    assert "disturbed: " in verdict.warnings[1]
    assert verdict.warnings[2] == "a note"
    assert "float16 arithmetic" in verdict.warnings[3]
    assert "its widest interval is ±5.1 % where ±2 % was wished" in verdict.warnings[4]
    assert "train_step: other" not in verdict.warnings
    assert "; measured on another machine, disturbed by other work, float16 emulated (run" in verdict.sentence


@pytest.mark.parametrize(
    ("warning", "said"),
    [("disturbed: others worked", True), ("forward: disturbed: others worked", True), ("decode: disturbed: x", False)],
)
def test_a_disturbance_of_the_run_or_of_the_pass_is_in_the_sentence(warning: str, said: bool) -> None:
    run = dataclasses.replace(finished(candidate(), candidate(pass_="decode")), warnings=(warning,))

    assert ("; disturbed by other work (run" in decide(run, passes=["forward"]).sentence) == said


def test_a_control_that_came_out_different_is_a_warning() -> None:
    control = candidate(1.05, 1.15, variant="dense_again", implementation="dense_again", chosen_by_auto=False)
    run = finished(candidate(), control, peers=["dense_again"], variants=["it"])

    assert any("the control, a second dense twin, came out at 1.100x" in text for text in decide(run).warnings)
    assert len(verdicts(run)) == 1


def test_what_the_structure_warns_of() -> None:
    assert any("n_blocks=2 saves nothing" in text for text in decide(finished(candidate(n_blocks=2))).warnings)
    split = decide(finished(candidate(variant="dt", n_blocks=32), in_features=256, out_features=256))
    assert any("splits for ever" in text for text in split.warnings)
    assert "these 2 layers together connect only 25.0 % of their pairs" in split.sentence
    chain = [DyadGeometry(768, 3072, 4, "it"), DyadGeometry(3072, 768, 4, "ot")]
    holes = decide(finished(candidate()), chain=chain)
    assert holes.reach is not None
    assert not holes.reach.full
    assert any("IT followed by OT leaves holes" in text for text in holes.warnings)
    assert any(
        "projecting a trained dense weight onto this pattern is lossy (relative error 0.75" in t for t in holes.warnings
    )


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"variant": "ot"}, "variant"),
        ({"n_blocks": 16}, "n_blocks"),
        ({"implementation": "triton"}, "implementation"),
        ({"passes": ["decode"]}, "passes"),
        ({"passes": []}, "passes"),
        ({"passes": "forward"}, "passes"),
        ({"variant": "dt", "n_blocks": 4}, "variant"),
        ({"required_speedup": 0}, "required_speedup"),
        ({"required_speedup": math.nan}, "required_speedup"),
        ({"required_speedup": True}, "required_speedup"),
        ({"required_speedup": "1.2"}, "required_speedup"),
        ({"max_loss": 1.5}, "max_loss"),
        ({"chain": [DyadGeometry(768, 768)]}, "chain"),
    ],
)
def test_what_the_run_does_not_hold_is_refused_with_what_it_does(arguments: dict[str, object], field: str) -> None:
    run = finished(candidate(n_blocks=4), candidate(n_blocks=8, variant="dt"))
    with pytest.raises(SpecError) as caught:
        decide(run, **arguments)

    assert [problem.field for problem in caught.value.problems] == [field]


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        decide(finished(), variant="ot", n_blocks=3, required_speedup=-1, passes=["decode"])

    assert {problem.field for problem in caught.value.problems} == {"variant", "n_blocks", "required_speedup", "passes"}


def test_a_run_without_a_dyad_has_no_verdict() -> None:
    run = dataclasses.replace(finished(), candidates=(dense(),))
    with pytest.raises(SpecError, match="holds no DYAD candidate"):
        decide(run)


ratios = st.floats(0.01, 100.0)


@given(
    intervals=st.lists(st.tuples(ratios, ratios), min_size=1, max_size=3),
    required=st.one_of(st.just(1.0), st.floats(0.1, 10.0)),
    loss=st.none() | st.floats(0.0, 1.0),
)
def test_the_words_never_say_more_than_the_figures(intervals, required: float, loss: float | None) -> None:
    passes = ("forward", "train_step", "decode")
    bounds = [sorted(each) for each in intervals]
    run = finished(*(candidate(*each, pass_=pass_) for each, pass_ in zip(bounds, passes, strict=False)))
    verdict = decide(run, required_speedup=required, max_loss=loss)
    text, above = verdict.sentence, [low > required for low, _ in bounds]

    assert verdict.decision in DECISIONS
    assert text.count("faster") == sum(low > max(required, 1.0) for low, _ in bounds)
    assert text.count("slower") == sum(high < min(required, 1.0) for _, high in bounds)
    assert text.startswith("Swap: ") == (verdict.decision == "swap")
    assert all(above) or verdict.decision != "swap"
    assert text.endswith(").")
    assert ". " not in text
    for judged, (low, high) in zip(verdict.passes, bounds, strict=True):
        assert judged.time is not None
        assert judged.time.saved_low_ms <= judged.time.saved_ms <= judged.time.saved_high_ms
        assert (judged.time.saved_low_ms > 0) == (low > 1)
        assert (judged.decision == "swap") == (low > required)
        assert (judged.decision == "do_not_swap") == (high < required)
    assert Verdict.from_dict(verdict.to_dict()) == verdict
    assert decide(run, required_speedup=required, max_loss=loss) == verdict
