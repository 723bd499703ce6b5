"""The words around a run: machine, conditions, sampling, first figures."""

from typing import Any

from frontend.logic import run_words
from frontend.schemas import RunRecord


def test_the_lines_around_a_run_say_sizes_and_machine(finished: RunRecord) -> None:
    result = finished["result"]
    assert result is not None
    line = run_words.environment_line(result["environment"])

    assert "1 thread " in line + " "
    assert "float32" in line
    assert "torch" in line
    assert run_words.spec_line(finished["spec"]).startswith("64 → 64 · IT OT DT BD · n = 4 · 8 tokens")
    emulated = result["environment"] | {"dtype": "float16", "dtype_emulated": True}
    assert "float16 (emulated)" in run_words.environment_line(emulated)


def test_first_figures_are_also_words() -> None:
    def candidate(variant: str, speedup: float | None, pass_name: str = "forward") -> Any:
        base = {"variant": variant, "n_blocks": 4, "grain": 1, "implementation": "eager", "pass": pass_name}
        return base | {"outcome": "measured", "limit": 2.0, "speedup": speedup}

    dense = candidate("dense", 1.0) | {"n_blocks": None}
    assert run_words.speedups([dense]) == "none of a candidate yet"
    forward = [dense, candidate("it", 1.517), candidate("ot", None)]
    assert run_words.speedups(forward) == "IT n=4 1.52x of dense"
    later = [candidate("it", 1.25, "train_step"), candidate("dt", 0.9, "train_step")]
    assert run_words.speedups([*forward, *later]) == "IT n=4 1.25x, DT n=4 0.90x of dense"


def test_the_sampling_says_how_sure_and_why_it_stopped() -> None:
    known: Any = {"pass": "forward", "rounds": 34, "looks": 4, "stopped": "target", "target_interval": 0.02}
    reached = known | {"widest_interval": 0.018, "critical_value": 2.4, "method": "m"}

    said = run_words.sampling_line(reached)
    assert said == "±1.8 % after 34 rounds, stopped because the wished interval was reached"
    spent = run_words.sampling_line(reached | {"stopped": "budget", "widest_interval": 0.05})
    assert spent == "±5 % (wished: ±2 %) after 34 rounds, stopped because the time budget was spent"
    assert run_words.sampling_line(reached | {"widest_interval": None}).startswith("No interval after 34 rounds")


def test_every_chart_says_precision_and_device_and_what_is_unusual() -> None:
    spec = {
        "dtype": "float32",
        "device": "cpu",
        "tokens": 8,
        "passes": ["train_step"],
        "optimizer": "sgd",
        "compile": True,
    }
    environment = {"dtype": "float32", "device_name": "A CPU", "threads": 2, "float32_matmul_precision": "high"}

    assert run_words.chart_note(spec, environment) == (
        "both sides float32, float32 matmul precision high · on A CPU · 2 threads · 8 tokens · optimizer sgd, under "
        "torch.compile"
    )
    assert (
        run_words.chart_note({"dtype": "float32", "device": "cpu", "tokens": 8})
        == "both sides float32 · on cpu · 8 tokens"
    )
