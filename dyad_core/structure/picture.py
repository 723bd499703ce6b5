"""The weight pattern of one layer as a picture of at most 512 × 512 cells with exact counts.

A cell counts the positions of the dense matrix that only BLOCKDIAG writes, that only BLOCKTRANS writes
and that both write. The counts come from counts of rows and columns by group (:mod:`.counting`), never
from the matrix, so a width of 2**20 costs what 2**10 does. A window zooms in, down to single entries.

Run ``python -c "from dyad_core import DyadGeometry; from dyad_core.structure import pattern;
print(pattern(DyadGeometry(8, 8, 2)).both)"`` for a small one.
"""

from __future__ import annotations

import operator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dyad_core.errors import Problem, SpecError
from dyad_core.geometry import DyadGeometry, IntArray, positive_integer
from dyad_core.structure.cells import cell_edges
from dyad_core.structure.counting import interval_counts, neighbourhood
from dyad_core.structure.encoding import encode_array, encoding_name
from dyad_core.structure.entries import describe_axis
from dyad_core.structure.products import exact_product
from dyad_core.structure.sizes import MAX_CELLS, MAX_PATTERN_BLOCKS, check_size, geometry_dict
from dyad_core.structure.wording import formula

__all__ = ["CountArray", "Pattern", "Window", "pattern", "totals"]

CountArray = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class Window:
    """A box of the weight matrix: outputs ``out_start`` to ``out_stop - 1``, inputs ``in_start`` to ``in_stop - 1``.

    Raises:
        SpecError: when a bound is no integer, is negative, or a box is empty.
    """

    # Read by pydantic when the service uses this class; no import of pydantic is needed for that.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    out_start: int
    out_stop: int
    in_start: int
    in_stop: int

    def __post_init__(self) -> None:
        """Check the bounds against each other; the layer's sizes are checked by :func:`pattern`."""
        problems = []
        for axis in ("out", "in"):
            for name in (f"{axis}_start", f"{axis}_stop"):
                value = getattr(self, name)
                if not _is_index(value):
                    problems.append(Problem(name, "must be an integer that is not negative", value))
                else:
                    object.__setattr__(self, name, operator.index(value))
        if not problems:
            problems = [
                Problem(f"{axis}_stop", f"must be above {axis}_start={start}", stop, f"the smallest is {start + 1}")
                for axis in ("out", "in")
                if (stop := getattr(self, f"{axis}_stop")) <= (start := getattr(self, f"{axis}_start"))
            ]
        if problems:
            raise SpecError(problems)

    def problems_in(self, geometry: DyadGeometry) -> list[Problem]:
        """What makes this window reach outside the matrix of ``geometry``; empty when it lies inside."""
        sizes = (("out", "out_features", geometry.out_features), ("in", "in_features", geometry.in_features))
        return [
            Problem(f"window.{axis}_stop", f"must be at most {name}={size}", stop, f"the largest is {size}")
            for axis, name, size in sizes
            if (stop := getattr(self, f"{axis}_stop")) > size
        ]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Exact counts of positions by cell; rows are outputs, columns are inputs.

    Attributes:
        geometry: the layer.
        window: the part of its weight that the cells cover.
        row_edges: first output of each row of cells, and one past the last; shape (rows + 1,).
        column_edges: the same for inputs; shape (columns + 1,).
        blockdiag: positions that only BLOCKDIAG writes; shape (rows, columns), uint32 (uint64 when a cell is larger).
        blocktrans: positions that only BLOCKTRANS writes.
        both: positions that both write.
    """

    geometry: DyadGeometry
    window: Window
    row_edges: IntArray
    column_edges: IntArray
    blockdiag: CountArray
    blocktrans: CountArray
    both: CountArray

    @property
    def single_entries(self) -> bool:
        """Whether every cell is one entry of the matrix."""
        window = self.window
        whole = (window.out_stop - window.out_start) * (window.in_stop - window.in_start)
        return self.both.size == whole

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; :func:`.encoding.decode_counts` reads the three count fields back.

        ``entries`` is null unless every cell is one entry; then it gives, for each output and input of
        the window, block and position in both components, so that any entry can be named (see :mod:`.entries`).
        """
        window = self.window
        return {
            "geometry": geometry_dict(self.geometry),
            "window": asdict(window),
            "rows": len(self.row_edges) - 1,
            "columns": len(self.column_edges) - 1,
            "row_edges": self.row_edges.tolist(),
            "column_edges": self.column_edges.tolist(),
            "counts": {
                "encoding": encoding_name(self.both.dtype),
                "dtype": self.both.dtype.name,
                "blockdiag": encode_array(self.blockdiag),
                "blocktrans": encode_array(self.blocktrans),
                "both": encode_array(self.both),
            },
            "entries": self._entries() if self.single_entries else None,
            "totals": totals(self.geometry),
            "formula": formula(self.geometry),
            "exact": True,
        }

    def _entries(self) -> dict[str, dict[str, list[int] | None]]:
        geometry, window = self.geometry, self.window
        return {
            "outputs": describe_axis(geometry, "output", window.out_start, window.out_stop),
            "inputs": describe_axis(geometry, "input", window.in_start, window.in_stop),
        }


def pattern(geometry: DyadGeometry, *, window: Window | None = None, max_cells: int = MAX_CELLS) -> Pattern:
    """Count the positions of each component by cell.

    Args:
        geometry: the layer, at most 2**20 features on a side and 1024 blocks.
        window: the part of the weight to show; None shows all of it.
        max_cells: cells on a side at most, from 1 to 512.

    Raises:
        SpecError: when a size is above its limit, the window leaves the matrix, or ``max_cells`` is out of range.
    """
    problems = check_size(geometry, MAX_PATTERN_BLOCKS)
    problems += [] if window is None else window.problems_in(geometry)
    if (problem := positive_integer("max_cells", max_cells)) or not 1 <= max_cells <= MAX_CELLS:
        problems.append(problem or Problem("max_cells", f"must be at most {MAX_CELLS}", max_cells))
    if problems:
        raise SpecError(problems)
    window = window or Window(0, geometry.out_features, 0, geometry.in_features)
    rows = cell_edges(window.out_start, window.out_stop, geometry.block_out, geometry.out_features, max_cells)
    columns = cell_edges(window.in_start, window.in_stop, geometry.block_in, geometry.in_features, max_cells)
    diagonal, transposed, both = _count(geometry, rows, columns)
    largest_cell = int(np.diff(rows).max()) * int(np.diff(columns).max())
    dtype = np.dtype(np.uint32 if largest_cell < 2**32 else np.uint64)
    return Pattern(
        geometry,
        window,
        rows,
        columns,
        (diagonal - both).astype(dtype),
        (transposed - both).astype(dtype),
        both.astype(dtype),
    )


def totals(geometry: DyadGeometry) -> dict[str, int | float]:
    """Figures of a whole layer, without bias.

    ``redundant_share`` is the share of the stored parameters that could go without changing what the
    layer can express: one of the two at each position that both components write.
    """
    shared = geometry.shared_positions
    positions = geometry.parameters - shared
    return {
        "parameters": geometry.parameters,
        "positions": positions,
        "shared_positions": shared,
        "density": positions / geometry.dense_parameters,
        "dense_parameters": geometry.dense_parameters,
        "limit": geometry.limit,
        "redundant_share": shared / geometry.parameters,
    }


def _count(geometry: DyadGeometry, rows: IntArray, columns: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Positions of BLOCKDIAG, of BLOCKTRANS and of both by cell, each of shape (rows, columns)."""
    output_blocks = neighbourhood(geometry.out_features, geometry.n_blocks)
    input_blocks = neighbourhood(geometry.in_features, geometry.n_blocks)
    diagonal = exact_product(interval_counts(output_blocks, rows), interval_counts(input_blocks, columns).T)
    if geometry.variant == "bd":
        return diagonal, np.zeros_like(diagonal), np.zeros_like(diagonal)
    by_output = interval_counts(geometry.output_side, rows)
    by_input = interval_counts(geometry.input_side, columns)
    return diagonal, exact_product(by_output, by_input.T), _count_both(geometry, rows, columns)


def _count_both(geometry: DyadGeometry, rows: IntArray, columns: IntArray) -> IntArray:
    """Positions of both components by cell: BLOCKTRANS counted inside each diagonal block alone."""
    both = np.zeros((len(rows) - 1, len(columns) - 1), dtype=np.int64)
    first = max(rows[0] // geometry.block_out, columns[0] // geometry.block_in)
    last = min((rows[-1] - 1) // geometry.block_out, (columns[-1] - 1) // geometry.block_in)
    for block in range(int(first), int(last) + 1):
        row_cells, row_pieces = _inside(rows, block * geometry.block_out, (block + 1) * geometry.block_out)
        column_cells, column_pieces = _inside(columns, block * geometry.block_in, (block + 1) * geometry.block_in)
        by_output = interval_counts(geometry.output_side, row_pieces)
        by_input = interval_counts(geometry.input_side, column_pieces)
        both[row_cells, column_cells] += exact_product(by_output, by_input.T)
    return both


def _inside(edges: IntArray, start: int, stop: int) -> tuple[slice, IntArray]:
    """The cells that overlap ``start`` to ``stop`` and their edges cut to it."""
    first = int(np.searchsorted(edges, start, side="right")) - 1
    last = int(np.searchsorted(edges, stop, side="left"))
    cells = slice(max(first, 0), min(last, len(edges) - 1))
    return cells, np.clip(edges[cells.start : cells.stop + 1], start, stop)


def _is_index(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 0
    except TypeError:
        return False
