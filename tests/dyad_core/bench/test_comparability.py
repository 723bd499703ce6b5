"""What two runs may be compared in, and the sentence that says why not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dyad_core.bench import BenchmarkRun
from dyad_core.bench.comparability import differences, pair, pass_reason, same_machine


def elsewhere(run: BenchmarkRun, **changes: Any) -> BenchmarkRun:
    return dataclasses.replace(run, environment=dataclasses.replace(run.environment, **changes))


@pytest.mark.parametrize(
    ("wish", "place", "comparable", "words"),
    [
        ({}, {}, "all", ""),
        ({}, {"memory_available_bytes": 1}, "all", ""),
        ({"tokens": 8}, {}, "speedups", "Only the speed-ups are compared: A is 768→3072 with 4096 tokens and B is"),
        ({"in_features": 1024}, {}, "speedups", "1024→3072"),
        ({"module": "feed_forward"}, {}, "nothing", "A has module linear and B has feed_forward"),
        ({"dtype": "bfloat16"}, {}, "nothing", "A has dtype float32 and B has bfloat16; a difference between them"),
        ({"passes": ["train_step"]}, {}, "nothing", "A measured forward and B training step; they have no pass"),
        ({"passes": ["train_step", "forward"]}, {}, "all", ""),
        ({}, {"float32_matmul_precision": "high"}, "nothing", "float32_matmul_precision highest and B has high"),
        ({}, {"hostname": "other"}, "all", "Not the same machine: compare the ratios, not the milliseconds."),
        ({}, {"device_name": "H100"}, "all", "Not the same machine (AMD EPYC, H100): compare"),
        ({}, {"hostname": ""}, "all", "Whether it is the same machine is not known: compare the ratios"),
        ({}, {"threads": 1}, "all", "other settings (threads)"),
        ({"allocator": "keep_pages"}, {}, "all", "other settings (allocator)"),
    ],
)
def test_the_verdict_and_its_reason(
    make_run: Any, wish: dict[str, Any], place: dict[str, Any], comparable: str, words: str
) -> None:
    found = pair(make_run(), elsewhere(make_run(**wish), **place), ("A", "B"))
    assert found.comparable == comparable
    assert words in " ".join(found.reasons)
    assert bool(found.reasons) == bool(words)
    assert all(reason.endswith(".") for reason in found.reasons)


def test_a_precision_that_the_dtype_does_not_use_is_no_matter(make_run: Any) -> None:
    run = make_run(dtype="bfloat16")
    assert pair(run, elsewhere(run, float32_matmul_precision="high"), ("A", "B")).comparable == "all"


def test_where_nothing_is_comparable_no_more_is_promised(make_run: Any) -> None:
    (reason,) = pair(make_run(), make_run(dtype="bfloat16", tokens=8), ("A", "B")).reasons
    assert reason.startswith("Not comparable: ")


def test_a_disturbed_run_is_named(make_run: Any) -> None:
    noisy = dataclasses.replace(make_run(), warnings=("forward: disturbed: other work kept 1.0 of 2 processors busy",))
    assert pair(make_run(), noisy, ("A", "B")).reasons == ("B says that other work disturbed it.",)


def test_training_steps_with_other_optimizers_are_other_work(make_run: Any) -> None:
    runs = make_run(optimizer="none"), make_run(optimizer="adamw")
    assert "'none' and one of B with 'adamw'" in pass_reason(*runs, "train_step", ("A", "B"))
    assert pass_reason(*runs, "forward", ("A", "B")) == ""
    assert pass_reason(runs[0], runs[0], "train_step", ("A", "B")) == ""


def test_a_host_without_a_name_is_known_to_be_another_only_by_its_parts(make_run: Any) -> None:
    here = make_run().environment
    hidden = dataclasses.replace(here, hostname="")
    assert same_machine(here, here) is True
    assert same_machine(hidden, hidden) is None
    assert same_machine(hidden, dataclasses.replace(hidden, cpu_name="other")) is False


def test_differences_are_listed_field_by_field(make_run: Any) -> None:
    runs = [make_run(), make_run(tokens=8), elsewhere(make_run(), threads=1, load_average_1min=9.0)]
    found = [(each.part, each.field, each.values, each.momentary) for each in differences(runs)]
    assert found == [
        ("spec", "tokens", (4096, 8, 4096), False),
        ("environment", "threads", (2, 2, 1), False),
        ("environment", "load_average_1min", (0.1, 0.1, 9.0), True),
    ]
    assert differences([make_run(), make_run()]) == ()
