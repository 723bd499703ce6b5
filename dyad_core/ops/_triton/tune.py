"""Measuring tile sizes on this GPU: ``python -m dyad_core.ops._triton.tune --out triton.json``.

Every candidate is compared with ``eager`` before it is timed; one that the GPU cannot hold, or that is wrong, is
reported and dropped. ``$DYAD_TRITON_SETTINGS`` makes a table take effect.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dyad_core.errors import ImplementationError
from dyad_core.geometry import DyadGeometry, Variant
from dyad_core.ops._triton.settings import (
    CANDIDATES,
    SCHEMA_VERSION,
    SETTINGS_VARIABLE,
    SMALLEST_CELL,
    Settings,
    Shape,
    device_name,
)
from dyad_core.ops.eager import product as product_eager
from dyad_core.ops.layout import TRANSPOSED

__all__ = ["Case", "default_cases", "save", "tune"]

Clock = Callable[[Callable[[], object]], float]
"""Runs a function often enough and returns the median time of one call in milliseconds."""

# Relative difference to eager that marks a candidate as wrong: rounding differs by far less, a wrong index by far more.
AGREEMENT = 0.02


@dataclass(frozen=True)
class Case:
    """One product to tune for; ``transposed`` weights are those of an input gradient."""

    geometry: DyadGeometry
    tokens: int
    transposed: bool = False

    def operands(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        """Draw input (T, in_features) and weights with the strides that they have in training."""
        n, block_out, block_in = self.geometry.weight_shape
        stored = (n, block_in, block_out) if self.transposed else (n, block_out, block_in)
        weights = torch.randn(2, *stored, device=device).to(dtype) / block_in**0.5
        diag, trans = (weight.mT if self.transposed else weight for weight in weights)
        x = torch.randn(self.tokens, self.geometry.in_features, device=device).to(dtype)
        return x, diag, trans if self.geometry.components == 2 else None


def default_cases(
    widths: Iterable[int] = (768, 1024, 2048, 4096),
    tokens: Iterable[int] = (1, 16, 512, 2048, 8192, 32768),
    n_blocks: Iterable[int] = (4, 8),
    variants: Iterable[Variant] = ("it", "ot", "dt"),
) -> list[Case]:
    """Both layers of a feed-forward and their input gradients, which are the other layer's shapes, transposed."""
    cases = []
    for width in widths:
        for n in n_blocks:
            for variant in variants:
                for in_features, out_features in ((width, 4 * width), (4 * width, width)):
                    forward = DyadGeometry(in_features, out_features, n, variant)
                    backward = DyadGeometry(out_features, in_features, n, TRANSPOSED[variant])
                    for count in tokens:
                        cases.append(Case(forward, count))
                        cases.append(Case(backward, count, transposed=True))
    return cases


def tune(
    cases: Iterable[Case],
    *,
    dtypes: Iterable[torch.dtype] = (torch.bfloat16,),
    device: torch.device | str = "cuda",
    candidates: Iterable[Settings] = CANDIDATES,
    clock: Clock | None = None,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measure every candidate on every case and return the table's content, see :func:`save`.

    Args:
        cases: products to tune for, for example :func:`default_cases`.
        dtypes: each is tuned for itself; float32 as ``torch.backends.cuda.matmul.fp32_precision`` asks (ieee or tf32).
        device: where to measure.
        candidates: tile sizes to try.
        clock: how to time; by default CUDA events with a flushed cache, median of about 50 ms of calls.
        report: receives a line for each case, and for each candidate that was dropped.

    Raises:
        ImplementationError: Triton cannot run there; the message says what is missing.
    """
    from dyad_core.ops.registry import choose

    place, say, time = torch.device(device), report or silent, clock or flushed_median
    rows: list[dict[str, Any]] = []
    won: dict[int, bool] = {}
    listed = list(cases)
    for dtype in dtypes:
        choose("triton", place, dtype)
        for case in listed:
            one, best_one = best(case, dtype, place, candidates, time, say, passes=1)
            if one is None:
                say(f"{case}: no candidate works")
                continue
            line = f"{case} {dtype}: {best_one:.4f} ms with {one}"
            columns = cell_columns(case.geometry)
            if case.geometry.variant in ("ot", "dt"):
                two, best_two = best(case, dtype, place, candidates, time, say, passes=2)
                won[columns] = won.get(columns, True) and (two is None or best_one <= best_two)
                line += f"; {best_two:.4f} ms in two passes"
            say(line)
            rows.append({"dtype": dtype_name(dtype), "shape": asdict(shape_of(case)), "settings": asdict(one)})
    return {
        "schema_version": SCHEMA_VERSION,
        "device": device_name(place),
        "torch": torch.__version__,
        "smallest_cell": smallest_winning_cell(won),
        "rows": rows,
    }


def best(
    case: Case,
    dtype: torch.dtype,
    device: torch.device,
    candidates: Iterable[Settings],
    clock: Clock,
    say: Callable[[str], None],
    *,
    passes: int,
) -> tuple[Settings | None, float]:
    """Return the fastest candidate that is right, with its time in milliseconds; (None, inf) if there is none."""
    from triton.errors import TritonError

    from dyad_core.ops._triton.launch import product

    x, diag, trans = case.operands(dtype, device)
    geometry = case.geometry
    expected = product_eager(x, diag, trans, None, geometry.variant, geometry.grain).float()
    found: tuple[Settings | None, float] = (None, float("inf"))
    for settings in candidates:

        def call(settings: Settings = settings) -> Tensor:
            cell = 1 if passes == 1 else geometry.out_features
            return product(
                x, diag, trans, None, geometry.variant, geometry.grain, settings=settings, smallest_cell=cell
            )

        try:
            difference = (call().float() - expected).abs().max() / expected.abs().max()
            if not difference <= AGREEMENT:
                say(f"{case} {dtype}: {settings} is wrong by {float(difference):.2g} and was dropped")
                continue
            milliseconds = clock(call)
        except TritonError as error:
            say(f"{case} {dtype}: {settings} was dropped: {str(error).splitlines()[0]}")
            continue
        if milliseconds < found[1]:
            found = settings, milliseconds
    return found


def flushed_median(call: Callable[[], object]) -> float:
    """Median milliseconds of a call by CUDA events, the L2 cache flushed before each."""
    from triton.testing import do_bench

    (median,) = (do_bench(call, warmup=10, rep=50, quantiles=[0.5]),)
    return float(median)


def shape_of(case: Case) -> Shape:
    """The shape that a launch of this case looks up."""
    geometry = case.geometry
    cells = geometry.n_blocks**2 if geometry.variant in ("ot", "dt") else geometry.n_blocks
    return Shape(case.tokens, cell_columns(geometry), geometry.block_in, cells, case.transposed)


def cell_columns(geometry: DyadGeometry) -> int:
    """Outputs of the largest cell, see :mod:`dyad_core.ops._triton.kernel`."""
    if geometry.variant in ("it", "bd"):
        return geometry.block_out
    return geometry.grain * -(-geometry.block_out // (geometry.grain * geometry.n_blocks))


def smallest_winning_cell(won: dict[int, bool]) -> int:
    """The smallest cell from which on one pass was never slower than two; the default if none was measured."""
    if not won:
        return SMALLEST_CELL
    smallest = max(won) + 1
    for columns in sorted(won, reverse=True):
        if not won[columns]:
            break
        smallest = columns
    return smallest


def dtype_name(dtype: torch.dtype) -> str:
    """Name in a table: "bfloat16", "float16", and for float32 the precision, "tf32" or "ieee"."""
    from dyad_core.ops._triton.launch import matmul_precision

    return (
        matmul_precision(torch.empty(0, dtype=dtype)) if dtype == torch.float32 else str(dtype).removeprefix("torch.")
    )


def save(content: dict[str, Any], path: Path) -> None:
    """Write a table."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def silent(line: str) -> None:
    """Report nothing."""


def aloud(line: str) -> None:
    """Report on the error stream."""
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """Tune the default cases and write the table; the exit code."""
    parser = argparse.ArgumentParser(description="Measure tile sizes of the Triton kernel on this GPU.")
    parser.add_argument("--out", type=Path, default=Path("triton.json"), help="table to write")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16"], choices=("bfloat16", "float16", "float32"))
    parser.add_argument("--widths", nargs="+", type=int, default=[768, 1024, 2048, 4096], help="model widths")
    parser.add_argument("--tokens", nargs="+", type=int, default=[1, 16, 512, 2048, 8192, 32768])
    parser.add_argument("--n-blocks", nargs="+", type=int, default=[4, 8])
    chosen = parser.parse_args()
    cases = default_cases(chosen.widths, chosen.tokens, chosen.n_blocks)
    dtypes = [getattr(torch, name) for name in chosen.dtypes]
    try:
        content = tune(cases, dtypes=dtypes, report=aloud)
    except ImplementationError as error:
        aloud(str(error))
        return 1
    save(content, chosen.out)
    aloud(f"Wrote {chosen.out}; it takes effect by: export {SETTINGS_VARIABLE}={chosen.out.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
