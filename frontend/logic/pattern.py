"""Counts of covered positions, decoded from the service's answer, and the hover words of their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frontend.logic import words
from frontend.logic.arrays import decode_array
from frontend.logic.geometry import Layer, Side
from frontend.schemas import PatternJson

__all__ = [
    "PatternGrid",
    "decode",
    "feature_window",
    "parameter_names",
    "pattern_records",
    "range_labels",
    "totals_words",
]

Counts = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class PatternGrid:
    """Covered positions per cell of a window.

    Attributes:
        layer: the geometry.
        row_edges: outputs where rows begin, and the end of the last, length R + 1.
        column_edges: the same for inputs and columns, length C + 1.
        blockdiag: positions that only BLOCKDIAG covers, (R, C).
        blocktrans: positions that only BLOCKTRANS covers, (R, C).
        both: positions that both cover, (R, C).
    """

    layer: Layer
    row_edges: npt.NDArray[np.int64]
    column_edges: npt.NDArray[np.int64]
    blockdiag: Counts
    blocktrans: Counts
    both: Counts

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return len(self.row_edges) - 1, len(self.column_edges) - 1

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Positions of each cell, (R, C)."""
        return np.outer(np.diff(self.row_edges), np.diff(self.column_edges))

    @property
    def single_entries(self) -> bool:
        """Whether every cell is one entry of the weight."""
        rows, columns = self.shape
        return bool(
            self.row_edges[-1] - self.row_edges[0] == rows and self.column_edges[-1] - self.column_edges[0] == columns
        )


def decode(payload: PatternJson) -> PatternGrid:
    """Decode an answer of ``/structure/pattern``: base64 of zlib of integers, see :mod:`.arrays`."""
    shape = payload["rows"], payload["columns"]

    def counts(name: str) -> Counts:
        return decode_array(payload["counts"][name], payload["counts"]["dtype"], shape)

    return PatternGrid(
        Layer.from_json(payload["geometry"]),
        np.asarray(payload["row_edges"], dtype=np.int64),
        np.asarray(payload["column_edges"], dtype=np.int64),
        counts("blockdiag"),
        counts("blocktrans"),
        counts("both"),
    )


def range_labels(grid: PatternGrid) -> tuple[list[str], list[str]]:
    """Return what to say of each row and of each column: features, block, group and positions.

    Block, group and position depend on the row or on the column alone, so R + C strings describe all R × C cells.
    """
    layer = grid.layer
    trans = layer.variant != "bd"
    rows = _side_labels("output", grid.row_edges, layer.outputs, trans)
    columns = _side_labels("input", grid.column_edges, layer.inputs, trans)
    return rows, columns


def _side_labels(noun: str, edges: Sequence[int] | npt.NDArray[np.int64], side: Side, trans: bool) -> list[str]:
    labels = []
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        first, last = int(start), int(stop) - 1
        place = _span(first, last)
        text = f"{noun}{'s' if last > first else ''} {place}<br>  BLOCKDIAG {_blocks(first, last, side.block)}"
        if trans:
            text += f"<br>  BLOCKTRANS {_groups(first, last, side)}"
        labels.append(text)
    return labels


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def _blocks(first: int, last: int, block: int) -> str:
    low, high = first // block, last // block
    if low == high:
        return f"block {low}, position {_span(first - low * block, last - low * block)}"
    return f"blocks {_span(low, high)}"


def _groups(first: int, last: int, side: Side) -> str:
    """Groups touched by features first..last, and the smallest and largest position in them.

    Only the ends of runs are looked at, and as plain integers: some hundred labels are made for each picture.
    """
    run, cycle = side.run, side.run * side.n_blocks
    if last - first + 1 >= cycle:
        groups = list(range(side.n_blocks))
    else:
        groups = sorted({index % side.n_blocks for index in range(first // run, last // run + 1)})
    # Positions fall only where a run begins: the first such place has the smallest, the last run before the last the largest.
    starts = [start for start in (first // run * run + run, last // run * run) if first < start <= last]
    ends = [first, last, *starts, *(start - 1 for start in starts)]
    places = [index // cycle * run + index % run for index in ends]
    noun = "block" if len(groups) == 1 else "blocks"
    return f"{noun} {_runs(groups)}, position {_span(min(places), max(places))}"


def _runs(numbers: Sequence[int]) -> str:
    """Write ascending numbers as ranges: 0–3, 7."""
    parts: list[tuple[int, int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
    return ", ".join(_span(first, last) for first, last in parts)


def parameter_names(grid: PatternGrid, outside: str = "structural zero: no parameter") -> npt.NDArray[np.str_]:
    """Return the stored parameters behind each cell of one entry, (R, C); ``outside`` where there is none.

    ``weight_blockdiag[1, 12, 3]`` is block 1, output at position 12 and input at position 3 of that block.
    """
    layer = grid.layer
    outs, ins = grid.row_edges[:-1], grid.column_edges[:-1]
    names = np.full(grid.shape, outside, dtype=object)
    block_out, block_in = layer.outputs.block, layer.inputs.block
    out_group, out_position = layer.outputs.group(outs), layer.outputs.position(outs)
    in_position = layer.inputs.position(ins)
    for row, column in np.argwhere(grid.blockdiag + grid.blocktrans + grid.both):
        parts = []
        if grid.blockdiag[row, column] or grid.both[row, column]:
            parts.append(
                f"weight_blockdiag[{outs[row] // block_out}, {outs[row] % block_out}, {ins[column] % block_in}]"
            )
        if grid.blocktrans[row, column] or grid.both[row, column]:
            parts.append(f"weight_blocktrans[{out_group[row]}, {out_position[row]}, {in_position[column]}]")
        names[row, column] = " + ".join(parts)
    return names


def pattern_records(grid: PatternGrid) -> list[dict[str, int]]:
    """Return one record per cell that holds anything: its features and its counts."""
    rows, columns = grid.row_edges.tolist(), grid.column_edges.tolist()
    return [
        {
            "first_output": rows[row],
            "output_stop": rows[row + 1],
            "first_input": columns[column],
            "input_stop": columns[column + 1],
            "blockdiag_alone": int(grid.blockdiag[row, column]),
            "blocktrans_alone": int(grid.blocktrans[row, column]),
            "both": int(grid.both[row, column]),
        }
        for row, column in np.argwhere(grid.blockdiag + grid.blocktrans + grid.both).tolist()
    ]


def totals_words(totals: dict[str, float]) -> list[tuple[str, str, str]]:
    """Return the totals beside the picture: name, value, explanation."""
    return [
        (
            "Parameters",
            words.count(totals["parameters"]),
            f"stored weights without bias; dense has {words.count(totals['dense_parameters'])}",
        ),
        (
            "Of dense",
            words.percent(totals["parameters"] / totals["dense_parameters"], 1),
            "parameters and multiply-adds, 2/n",
        ),
        (
            "Non-zero positions",
            words.count(totals["positions"]),
            "distinct positions of the matrix that a parameter reaches",
        ),
        ("Density", words.percent(totals["density"], 2), "non-zero positions as a share of the matrix"),
        (
            "Shared positions",
            words.count(totals["shared_positions"]),
            "positions that both components write; their weights add up, so one of the two is redundant",
        ),
        ("Limit", words.factor(totals["limit"]), "ideal speed-up over dense: n/2, the ratio of multiply-adds"),
    ]


def feature_window(
    grid: PatternGrid, across: Sequence[float], down: Sequence[float], smallest: int = 8
) -> tuple[int, int, int, int]:
    """Return the features under a box drawn on the cells: out_start, out_stop, in_start, in_stop.

    ``across`` and ``down`` are cell coordinates (whole numbers are cell centres); a box smaller than ``smallest``
    features a side grows round its centre.
    """
    return (*_features(grid.row_edges, down, smallest), *_features(grid.column_edges, across, smallest))


def _features(edges: npt.NDArray[np.int64], box: Sequence[float], smallest: int) -> tuple[int, int]:
    borders = np.interp([min(box) + 0.5, max(box) + 0.5], np.arange(len(edges)), edges)
    first, stop = int(np.floor(borders[0])), int(np.ceil(borders[1]))
    low, high = int(edges[0]), int(edges[-1])
    if stop - first < smallest:
        first = max(low, (first + stop - smallest) // 2)
        stop = min(high, first + smallest)
        first = max(low, stop - smallest)
    return first, stop
