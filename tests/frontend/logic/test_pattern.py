"""Decoded patterns and their words, held against the matrix of the library's layer."""

import re

import numpy as np
import pytest
import torch

from dyad_core import DyadGeometry, DyadLinear
from dyad_core.structure import Window, pattern
from frontend.logic.geometry import Layer
from frontend.logic.pattern import PatternGrid, decode, feature_window, parameter_names, range_labels


def grid_of(layer: Layer, window: Window | None = None, max_cells: int = 256) -> PatternGrid:
    answer = pattern(DyadGeometry(**layer.to_json()), window=window, max_cells=max_cells).to_dict()
    return decode(answer)  # type: ignore[arg-type] # the service's answer, as it is sent


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
def test_every_named_parameter_is_the_entry_of_the_dense_matrix(variant: str) -> None:
    layer = Layer(12, 24, 3, variant, 2)
    grid = grid_of(layer)
    module = DyadLinear(12, 24, bias=False, n_blocks=3, variant=variant, grain=2, dtype=torch.float64)
    stored = module.state_dict()
    dense = module.to_dense().detach()

    for (row, column), name in np.ndenumerate(parameter_names(grid)):
        value = 0.0
        for component, indices in re.findall(r"(weight_block\w+)\[([\d, ]+)\]", name):
            value += float(stored[component][tuple(int(part) for part in indices.split(","))])
        assert value == pytest.approx(float(dense[row, column])), name


def test_counts_add_up_to_the_totals_when_reduced() -> None:
    layer = Layer(768, 3072, 4)
    grid = grid_of(layer, max_cells=64)

    covered = int((grid.blockdiag + grid.blocktrans + grid.both).sum())
    assert covered == DyadGeometry(768, 3072, 4).positions
    assert int(grid.areas.sum()) == 768 * 3072
    assert not grid.single_entries


def test_labels_say_block_group_and_position_once_per_row_and_column() -> None:
    rows, columns = range_labels(grid_of(Layer(768, 3072, 4), Window(744, 792, 190, 194)))

    assert rows[24] == "output 768<br>  BLOCKDIAG block 1, position 0<br>  BLOCKTRANS block 1, position 0"
    assert columns[1] == "input 191<br>  BLOCKDIAG block 0, position 191<br>  BLOCKTRANS block 3, position 47"
    assert len(set(rows)) == len(rows)
    reduced, _ = range_labels(grid_of(Layer(64, 64, 4, "dt"), max_cells=8))
    assert reduced[0] == "outputs 0–7<br>  BLOCKDIAG block 0, position 0–7<br>  BLOCKTRANS blocks 0–3, position 0–1"
    alone, _ = range_labels(grid_of(Layer(64, 64, 4, "bd"), max_cells=8))
    assert "BLOCKTRANS" not in alone[0]


@pytest.mark.parametrize(
    ("across", "down", "window"),
    [
        ((-0.5, 63.5), (-0.5, 63.5), (0, 3072, 0, 768)),
        ((31.5, 15.5), (7.5, 15.5), (384, 768, 192, 384)),
        ((0.0, 0.1), (63.0, 63.1), (3044, 3072, 2, 10)),
        ((-9.0, 0.5), (60.5, 99.0), (2928, 3072, 0, 12)),
    ],
)
def test_a_drawn_box_becomes_features(
    across: tuple[float, float], down: tuple[float, float], window: tuple[int, int, int, int]
) -> None:
    found = feature_window(grid_of(Layer(768, 3072, 4), max_cells=64), across, down)

    out_start, out_stop, in_start, in_stop = found
    assert 0 <= out_start < out_stop <= 3072
    assert 0 <= in_start < in_stop <= 768
    assert out_stop - out_start >= 8
    assert in_stop - in_start >= 8
    if across != (0.0, 0.1):
        assert found == window
