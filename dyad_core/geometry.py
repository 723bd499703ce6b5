"""Sizes, blocks, variant and grain of one DYAD layer: the one place that knows the structure.

A DYAD weight (arXiv 2312.06881) is the sum of two components. BLOCKDIAG is block-diagonal.
BLOCKTRANS becomes block-diagonal under a fixed permutation of the inputs (``it``), of the outputs
(``ot``) or of both (``dt``). Everything else in this library (operators, layers, costs, pictures)
asks this class which output belongs to which input.

Words: row index o is the output, column index i the input, n is ``n_blocks``,
``block_in`` = in_features / n, ``block_out`` = out_features / n.

Run ``python -c "from dyad_core import DyadGeometry; print(DyadGeometry(768, 3072))"`` for a first look.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from dyad_core.errors import Problem, SpecError

__all__ = ["VARIANTS", "DyadGeometry", "Side", "Variant", "divisors", "nearest"]

Variant = Literal["it", "ot", "dt", "bd"]
"""``it`` input transpose, ``ot`` output transpose, ``dt`` double transpose; ``bd`` BLOCKDIAG alone (an ablation)."""

VARIANTS: tuple[Variant, ...] = get_args(Variant)

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """How BLOCKTRANS groups the features of one side (input or output) of a layer.

    A *plain* side groups neighbours: feature f is in group ``f // (features / n)``. An *interleaved*
    side of grain g deals runs of g features round the groups: group ``(f // g) % n``.

    Attributes:
        features: number of features on this side.
        n_blocks: number of groups.
        run: length of the runs dealt round the groups: g when interleaved, features / n when plain
            (a plain side is dealt exactly once).
        interleaved: whether this side is permuted.
    """

    features: int
    n_blocks: int
    run: int
    interleaved: bool

    @property
    def block(self) -> int:
        """Features in one group."""
        return self.features // self.n_blocks

    def group(self, index: IntArray) -> IntArray:
        """Group of each feature in ``index``, any shape."""
        return (index // self.run) % self.n_blocks

    def position(self, index: IntArray) -> IntArray:
        """Position inside its group of each feature in ``index``, any shape."""
        cycle = self.run * self.n_blocks
        return (index // cycle) * self.run + index % self.run

    def members(self) -> IntArray:
        """Features by group and position, shape (n_blocks, block): the inverse of group and position."""
        group = np.arange(self.n_blocks, dtype=np.int64)[:, None]
        position = np.arange(self.block, dtype=np.int64)[None, :]
        return (position // self.run) * (self.run * self.n_blocks) + group * self.run + position % self.run


@dataclass(frozen=True)
class DyadGeometry:
    """The structure of one layer; creating one checks it.

    Args:
        in_features: size of each input sample, as in :class:`torch.nn.Linear`.
        out_features: size of each output sample.
        n_blocks: number of diagonal blocks n (the paper's ``dyad_dim``); must divide both sizes.
            n = 1 costs twice the dense layer and n = 2 saves nothing: allowed, see :attr:`saves_nothing`.
        variant: ``"it"``, ``"ot"``, ``"dt"`` or the ablation ``"bd"``.
        grain: length g of the runs that the interleave moves together; 1 is the paper. n·g must divide
            the size of every interleaved side.

    Raises:
        SpecError: with every broken rule, the nearest ``n_blocks`` and the nearest sizes that work.

    Example:
        >>> geometry = DyadGeometry(768, 3072, n_blocks=4, variant="it")
        >>> geometry.block_in, geometry.block_out, geometry.parameters
        (192, 768, 1179648)
        >>> geometry.limit
        2.0
    """

    in_features: int
    out_features: int
    n_blocks: int = 4
    variant: Variant = "it"
    grain: int = 1

    def __post_init__(self) -> None:
        """Check every rule and report all that are broken."""
        names = ("in_features", "out_features", "n_blocks", "grain")
        found = [positive_integer(name, getattr(self, name)) for name in names]
        problems = [problem for problem in found if problem is not None]
        if self.variant not in VARIANTS:
            problems.append(Problem("variant", f"must be one of {', '.join(VARIANTS)}", self.variant))
        if not problems:
            for name in names:
                object.__setattr__(self, name, operator.index(getattr(self, name)))
            problems = self._divisibility_problems()
        if problems:
            raise SpecError(problems)

    def _divisibility_problems(self) -> list[Problem]:
        problems = []
        n = self.n_blocks
        for name, size in (("in_features", self.in_features), ("out_features", self.out_features)):
            if size % n:
                shared = divisors(math.gcd(self.in_features, self.out_features))
                problems.append(
                    Problem(
                        name,
                        f"must be divisible by n_blocks={n}",
                        size,
                        f"nearest n_blocks that divide both sizes: {_listed(nearest(shared, n))}; "
                        f"nearest {name} that work: {_listed(nearest_multiples(size, n))}",
                    )
                )
        if problems:
            return problems
        interleaved = [
            (side.features, name)
            for side, name in ((self.input_side, "in_features"), (self.output_side, "out_features"))
            if side.interleaved
        ]
        # A grain that is suggested must work on every interleaved side, not only on the one that failed.
        fitting = divisors(math.gcd(*(features for features, _ in interleaved)) // n)
        for features, name in interleaved:
            if features % (n * self.grain):
                problems.append(
                    Problem(
                        "grain",
                        f"n_blocks·grain must divide {name}={features} for variant {self.variant!r}, "
                        f"and {n}·{self.grain} does not",
                        self.grain,
                        f"nearest grains that work: {_listed(nearest(fitting, self.grain))}",
                    )
                )
        return problems

    # --- sizes -------------------------------------------------------------------------------

    @property
    def block_in(self) -> int:
        """Inputs of one block: in_features / n."""
        return self.in_features // self.n_blocks

    @property
    def block_out(self) -> int:
        """Outputs of one block: out_features / n."""
        return self.out_features // self.n_blocks

    @property
    def components(self) -> int:
        """Number of weight components: 2, or 1 for ``bd``."""
        return 1 if self.variant == "bd" else 2

    @property
    def weight_shape(self) -> tuple[int, int, int]:
        """Shape of each component: (n_blocks, block_out, block_in)."""
        return self.n_blocks, self.block_out, self.block_in

    # --- grouping of BLOCKTRANS --------------------------------------------------------------

    @property
    def input_side(self) -> Side:
        """Input grouping of BLOCKTRANS: interleaved for ``it`` and ``dt``, plain otherwise."""
        interleaved = self.variant in ("it", "dt")
        return Side(self.in_features, self.n_blocks, self.grain if interleaved else self.block_in, interleaved)

    @property
    def output_side(self) -> Side:
        """Output grouping of BLOCKTRANS: interleaved for ``ot`` and ``dt``, plain otherwise."""
        interleaved = self.variant in ("ot", "dt")
        return Side(self.out_features, self.n_blocks, self.grain if interleaved else self.block_out, interleaved)

    @property
    def transposed(self) -> DyadGeometry:
        """Geometry of the transposed weight: the transpose of ``ot`` has the pattern of ``it``."""
        variant: dict[Variant, Variant] = {"it": "ot", "ot": "it", "dt": "dt", "bd": "bd"}
        return DyadGeometry(self.out_features, self.in_features, self.n_blocks, variant[self.variant], self.grain)

    # --- costs -------------------------------------------------------------------------------

    @property
    def parameters(self) -> int:
        """Stored weights, without bias: 2/n of dense (1/n for ``bd``)."""
        return self.components * self.n_blocks * self.block_out * self.block_in

    @property
    def dense_parameters(self) -> int:
        """Weights of the dense twin, without bias."""
        return self.in_features * self.out_features

    @property
    def shared_positions(self) -> int:
        """Positions of the dense matrix that both components write.

        Exact for every n, also where n does not divide the block: per block, outputs and inputs that
        are in block b by neighbourhood *and* in group b' by the interleave, summed over b and b'.
        """
        if self.variant == "bd":
            return 0
        joint_in = joint_counts(self.input_side)
        joint_out = joint_counts(self.output_side)
        if self.dense_parameters >= 2**63:  # the sum would wrap round in int64: count with Python integers
            joint_in = joint_in.astype(object)
        return int((joint_in * joint_out).sum())

    @property
    def positions(self) -> int:
        """Distinct non-zero positions of the dense matrix."""
        return self.parameters - self.shared_positions

    @property
    def density(self) -> float:
        """Share of the dense matrix that is non-zero: (2n-1)/n² when n divides the block."""
        return self.positions / self.dense_parameters

    @property
    def limit(self) -> float:
        """The ideal speed-up over dense: n/2 (n for ``bd``), the ratio of multiply-adds."""
        return self.dense_parameters / self.parameters

    @property
    def saves_nothing(self) -> bool:
        """Whether the layer needs at least as many multiply-adds as dense (n ≤ 2, or n = 1 for ``bd``)."""
        return self.limit <= 1.0

    def flops(self, tokens: int) -> int:
        """Floating-point operations of one forward pass over ``tokens`` rows, a multiply-add counted as two."""
        return 2 * tokens * self.parameters

    def dense_flops(self, tokens: int) -> int:
        """Floating-point operations of the dense twin's forward pass over ``tokens`` rows."""
        return 2 * tokens * self.dense_parameters


def joint_counts(side: Side) -> IntArray:
    """Features by neighbourhood block (row) and BLOCKTRANS group (column), shape (n, n), exact at any width."""
    edges = np.arange(side.n_blocks + 1, dtype=np.int64) * side.block
    below = count_below(side, edges)
    return np.diff(below, axis=0)


def count_below(side: Side, edges: IntArray) -> IntArray:
    """How many features below each edge are in each group, in closed form.

    Shapes: ``edges`` (k,), result (k, n_blocks). Cost does not depend on the number of features.
    """
    cycle = side.run * side.n_blocks
    full, rest = edges[:, None] // cycle, edges[:, None] % cycle
    start = np.arange(side.n_blocks, dtype=np.int64)[None, :] * side.run
    below: IntArray = full * side.run + np.clip(rest - start, 0, side.run)
    return below


def positive_integer(name: str, value: Any) -> Problem | None:
    """Return the problem with ``value`` as a positive integer, or None. Booleans are refused."""
    rule = "must be a positive integer"
    if isinstance(value, bool):
        return Problem(name, rule, value)
    try:
        number = operator.index(value)
    except TypeError:
        return Problem(name, rule, value)
    return None if number > 0 else Problem(name, rule, value, "the smallest is 1")


def divisors(number: int, largest: int = 4096) -> list[int]:
    """Divisors of a positive integer up to ``largest``, ascending; bounded so that absurd sizes cost nothing."""
    return [divisor for divisor in range(1, min(number, largest) + 1) if number % divisor == 0]


def nearest(candidates: list[int], wanted: int, count: int = 4) -> list[int]:
    """The ``count`` candidates nearest to ``wanted``, ascending."""
    return sorted(sorted(candidates, key=lambda value: (abs(value - wanted), value))[:count])


def nearest_multiples(size: int, step: int) -> list[int]:
    """The positive multiples of ``step`` just below and above ``size``."""
    below = size // step * step
    return [value for value in (below, below + step) if value > 0]


def _listed(values: list[int]) -> str:
    return ", ".join(str(value) for value in values)
