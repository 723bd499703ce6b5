"""``auto``: which implementation to take, looked up in a table that was measured.

The tables lie beside this file in ``choices/``, one per kind of device, and say on which machine and with which
versions they were measured; ``dyad tune`` makes them anew. A table of one's own, named by the environment variable
``DYAD_CHOICES``, beats the packaged one of its kind of device. Where no measured size is near, :func:`standard` answers.

Tables are read once in a process, answers are remembered by shape. ``python -c "from dyad_core.ops import auto;
print(auto.table('cpu').measured)"`` shows what a table says of itself.
"""

from __future__ import annotations

import functools
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from dyad_core.errors import Problem, SpecError

__all__ = [
    "FALLBACK",
    "VARIABLE",
    "Choice",
    "Shape",
    "Table",
    "choice_of",
    "forget",
    "name_for",
    "preferred",
    "read_table",
    "standard",
    "table",
]

FALLBACK = "eager"
FEW_TOKENS = 16
VARIABLE = "DYAD_CHOICES"
FOLDER = Path(__file__).parent / "choices"
SCHEMA_VERSION = 1

# A row speaks for sizes and tokens up to a factor of four away, and for block counts up to a factor of two.
FARTHEST = (1.0, 2.0, 2.0, 2.0)


class Shape(NamedTuple):
    """What a choice may depend on beside device and dtype. ``trains`` is whether gradients will be asked for."""

    variant: str
    n_blocks: int
    in_features: int
    out_features: int
    tokens: int
    trains: bool


@dataclass(frozen=True)
class Choice:
    """One measured size: the fastest implementation that was clearly faster than the standard one, else that one.

    ``gain`` is the median over rounds of standard/chosen with its 95 % interval; 1 where the standard one was taken.
    ``median_ms`` holds every implementation that was measured.
    """

    dtype: str
    variant: str
    n_blocks: int
    in_features: int
    out_features: int
    tokens: int
    pass_: Literal["forward", "train"]
    implementation: str
    gain: float = 1.0
    gain_low: float = 1.0
    gain_high: float = 1.0
    median_ms: dict[str, float] = field(default_factory=dict)
    disturbed: bool = False

    def distances(self, shape: Shape) -> tuple[float, ...]:
        """How far a shape is in each number, as differences of base-2 logarithms."""
        pairs = zip(self._numbers(), shape[1:5], strict=True)
        return tuple(abs(math.log2(mine) - math.log2(max(1, other))) for mine, other in pairs)

    def _numbers(self) -> tuple[int, int, int, int]:
        return self.n_blocks, self.in_features, self.out_features, self.tokens


@dataclass(frozen=True)
class Table:
    """The measured choices for one kind of device, and what was measured where and how."""

    device_kind: str
    measured: dict[str, Any]
    choices: tuple[Choice, ...]

    def nearest(self, dtype: str, shape: Shape) -> Choice | None:
        """The choice of the nearest measured size of this dtype, variant and pass; None when none is near."""
        wanted = (dtype, shape.variant, "train" if shape.trains else "forward")
        best, best_distance = None, math.inf
        for choice in self.choices:
            if (choice.dtype, choice.variant, choice.pass_) != wanted:
                continue
            distances = choice.distances(shape)
            total = sum(distance * distance for distance in distances)
            if total < best_distance and all(d <= most for d, most in zip(distances, FARTHEST, strict=True)):
                best, best_distance = choice, total
        return best


def name_for(
    flat: Tensor, weight_blockdiag: Tensor, weight_blocktrans: Tensor | None, bias: Tensor | None, variant: str
) -> str:
    """The name of the implementation to take for one call, ``flat`` (T, in_features); as :func:`preferred`.

    While tracing it is ``eager``: sizes may be symbols then, and a compiler makes its own choices.
    """
    if torch.compiler.is_compiling() or type(flat.shape[0]) is not int:
        return FALLBACK
    trains = torch.is_grad_enabled() and (
        flat.requires_grad
        or weight_blockdiag.requires_grad
        or (weight_blocktrans is not None and weight_blocktrans.requires_grad)
        or (bias is not None and bias.requires_grad)
    )
    return _by_sizes(flat.device, flat.dtype, flat.shape, weight_blockdiag.shape, variant, trains)


@functools.lru_cache(maxsize=4096)
def _by_sizes(
    device: torch.device, dtype: torch.dtype, flat: torch.Size, weight: torch.Size, variant: str, trains: bool
) -> str:
    n, block_out, block_in = weight
    return preferred(device.type, dtype, Shape(variant, n, n * block_in, n * block_out, flat[0], trains))


def preferred(device_kind: str, dtype: torch.dtype, shape: Shape) -> str:
    """The name of the implementation to take; it need not be registered or available here.

    Raises:
        SpecError: the file that ``DYAD_CHOICES`` names cannot be read.
    """
    found = table(device_kind)
    choice = None if found is None else found.nearest(str(dtype).removeprefix("torch."), shape)
    return standard(device_kind, dtype, shape.tokens, trains=shape.trains) if choice is None else choice.implementation


def standard(device_kind: str, dtype: torch.dtype, tokens: int, *, trains: bool = False) -> str:
    """What to take where no table tells: on a CPU rules that held at every measured size, elsewhere ``eager``.

    A handful of tokens want the weights on the left. In 16-bit types a product that accumulates into strided memory is
    slow on a CPU (torch 2.13: 1.1 to 1.7 times the time of ``concat`` at 256 → 1024), so one product is made of both.
    """
    if device_kind != "cpu":
        return FALLBACK
    if dtype.itemsize < 4:
        return "concat"
    return "transposed" if tokens <= FEW_TOKENS and not trains else FALLBACK


@functools.cache
def table(device_kind: str) -> Table | None:
    """The table in force for ``"cpu"`` or ``"cuda"``: one's own, else the packaged one, else None."""
    if own := os.environ.get(VARIABLE):
        found = read_table(Path(own))
        if found.device_kind == device_kind:
            return found
    packaged = FOLDER / f"{device_kind}.json"
    return read_table(packaged) if packaged.exists() else None


def forget() -> None:
    """Read the tables anew at the next call."""
    table.cache_clear()
    _by_sizes.cache_clear()


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        SpecError: not readable, not a table, or of a newer version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["schema_version"] != SCHEMA_VERSION:
            rule = f"must be of schema version {SCHEMA_VERSION}, which this version of dyad-explorer reads"
            raise SpecError([Problem(VARIABLE, rule, values["schema_version"], "make it anew: dyad tune")])
        choices = tuple(choice_of(row) for row in values["choices"])
        return Table(str(values["device_kind"]), dict(values["measured"]), choices)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, SpecError):
            raise
        rule = f"must name a table of choices, and this is none: {type(error).__name__}: {error}"
        raise SpecError([Problem(VARIABLE, rule, str(path), "make one: dyad tune")]) from error


def choice_of(row: dict[str, Any]) -> Choice:
    """Read one row of a table.

    Raises:
        TypeError, KeyError, ValueError: it is none.
    """
    fields = {**row, "pass_": row["pass"]}
    del fields["pass"]
    choice = Choice(**fields)
    if min(choice._numbers()) < 1 or not isinstance(choice.implementation, str):
        msg = f"a row has no sizes or no implementation: {row}"
        raise ValueError(msg)
    return choice
