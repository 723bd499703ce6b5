from __future__ import annotations

import dataclasses

import pytest

from dyad_core.bench.reading import read_run, reading


def test_the_fastest_with_its_conditions(make_run, make_candidate) -> None:
    run = make_run(make_candidate(4, 1.5), make_candidate(8, 2.9))
    assert reading(run) == (
        "On AMD EPYC (2 threads), float32, 4096 tokens, 768→3072, forward: IT n=8 is fastest at 2.90x of dense "
        "(95 % interval 2.80–3.00, 72% of the limit 4.0x)."
    )


def test_a_single_candidate_is_not_the_fastest_of_any(make_run, make_candidate) -> None:
    assert "IT n=4 is faster at 1.50x" in reading(make_run(make_candidate(4, 1.5)))


def test_an_interval_that_holds_one_claims_nothing(make_run, make_candidate) -> None:
    assert "IT n=4 is not distinguishable from 1.0x of dense (1.05x" in reading(make_run(make_candidate(4, 1.05)))
    several = reading(make_run(make_candidate(4, 1.05), make_candidate(8, 0.7)))
    assert "the best candidate, IT n=4, is not distinguishable from 1.0x" in several
    assert "fast" not in several


@pytest.mark.parametrize(("low", "high", "undecided"), [(1.0, 1.2, True), (0.9, 1.0, True), (1.01, 1.2, False)])
def test_the_bounds_themselves_belong_to_the_interval(make_run, make_candidate, low, high, undecided) -> None:
    run = make_run(make_candidate(4, 1.0, speedup_low=low, speedup_high=high))
    assert ("not distinguishable" in reading(run)) == undecided


def test_slower_is_said_plainly(make_run, make_candidate) -> None:
    assert "IT n=4 is slower than dense, at 0.50x" in reading(make_run(make_candidate(4, 0.5)))
    several = reading(make_run(make_candidate(4, 0.5), make_candidate(8, 0.7)))
    assert "every candidate is slower than dense, IT n=8 the least, at 0.70x" in several


def test_each_pass_has_its_part(make_run, make_candidate) -> None:
    run = make_run(
        make_candidate(4, 1.5),
        make_candidate(4, 0.5, pass_="train_step"),
        passes=["forward", "train_step"],
        module="feed_forward",
    )
    text = reading(run)
    assert "feed-forward 768→3072→768, forward: IT n=4 is faster" in text
    assert "; training step: IT n=4 is slower" in text


def test_what_went_wrong_is_mentioned_and_has_no_figure(make_run, make_candidate) -> None:
    def without(n: int, outcome: str, **changes: object) -> object:
        nothing = {"samples_ms": (), "median_ms": None, "q1_ms": None, "q3_ms": None, "memory": None}
        return make_candidate(n, None, outcome=outcome, **{**nothing, **changes})

    run = make_run(make_candidate(4, 1.5), without(8, "incorrect"), without(16, "out_of_memory"), without(2, "failed"))
    text = reading(run)
    assert "and IT n=8 failed the check against the oracle and has no speed" in text
    assert "IT n=16 ran out of memory" in text
    assert "IT n=2 failed" in text
    assert reading(make_run(without(8, "unsupported"))).endswith(
        "no candidate could be measured, and IT n=8 cannot run here."
    )
    many = reading(make_run(*[without(n, "failed") for n in (1, 2, 3, 4, 6, 8)]))
    assert "6 candidates failed" in many


def test_implementations_are_named_where_there_are_several(make_run, make_candidate) -> None:
    run = make_run(make_candidate(4, 1.5), make_candidate(4, 0.5, implementation="reference"))
    assert "IT n=4 (eager) is fastest" in reading(run)


def test_emulation_device_and_single_things(make_run) -> None:
    run = make_run(dtype="bfloat16", tokens=1)
    where = dataclasses.replace(run.environment, dtype_emulated=True, threads=1)
    assert "(1 thread), bfloat16 (emulated), 1 token," in reading(dataclasses.replace(run, environment=where))
    gpu = dataclasses.replace(run.environment, device="cuda:0", device_name="NVIDIA H100")
    assert "On NVIDIA H100, bfloat16, 1 token" in reading(dataclasses.replace(run, environment=gpu))


def test_it_is_one_sentence_and_fills_the_run(make_run) -> None:
    run = read_run(make_run())
    assert run.reading == reading(run)
    assert run.reading.count(". ") == 0
    assert run.reading.endswith(".")
