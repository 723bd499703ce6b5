"""The ladder: implementations of one weight, parity first."""

from typing import Any

from frontend.logic.ladder import every_implementation, ladder_rows, ladder_sentence, weights_of
from frontend.logic.rows import rows_of


def candidate(implementation: str, speedup: float | None, outcome: str, error: float | None = 3e-7, **more: Any) -> Any:
    base = {"variant": "it", "n_blocks": 4, "grain": 1, "implementation": implementation, "pass": "forward"}
    checked = None if error is None else {"passed": True, "error": error, "tolerance": 1e-5, "dense_error": 1e-7}
    return base | {"outcome": outcome, "limit": 2.0, "speedup": speedup, "correctness": checked, **more}


ROWS = rows_of(
    [
        candidate("eager", 1.5, "faster", chosen_by_auto=True),
        candidate("broken", None, "incorrect", 0.4),
        candidate("concat", 1.8, "faster"),
        candidate("triton", None, "unsupported", None),
        candidate("alone", 1.1, "faster") | {"n_blocks": 8},
    ]
)


def test_only_weights_with_several_implementations_have_a_ladder() -> None:
    assert [weight.label for weight in weights_of(ROWS)] == ["IT n=4"]


def test_parity_stands_in_the_name_and_the_fastest_comes_first() -> None:
    shown = ladder_rows(ROWS, weights_of(ROWS)[0])

    assert [row.label for row in shown] == ["concat ✓ 3e-07", "eager (auto) ✓ 3e-07", "broken ✗ wrong", "triton ∅"]


def test_the_sentence_begins_with_parity() -> None:
    weight = weights_of(ROWS)[0]

    assert ladder_sentence(ladder_rows(ROWS, weight), weight) == (
        "2 of 4 implementations of IT n=4 agree with the oracle, the farthest within 3.0e-07 of its largest value; highest "
        "is **concat** at 1.80x of dense (faster); auto takes eager at 1.50x."
    )


def test_a_ladder_holds_what_the_device_can_run() -> None:
    known = {"eager": "plain aten", "triton": "one fused kernel (NVIDIA GPUs)"}

    assert every_implementation(known, "cpu") == ["eager"]
    assert every_implementation(known, "cuda:0") == ["eager", "triton"]
