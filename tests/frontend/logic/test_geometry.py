"""Groups and positions, held against the library."""

import numpy as np
import pytest

from dyad_core import DyadGeometry
from frontend.logic.geometry import Layer, chain, overview_cells


@pytest.mark.parametrize("variant", ["it", "ot", "dt", "bd"])
@pytest.mark.parametrize("grain", [1, 2])
@pytest.mark.parametrize(("size_in", "size_out", "n"), [(24, 48, 4), (48, 24, 6), (16, 16, 8)])
def test_groups_and_positions_are_those_of_the_library(
    variant: str, grain: int, size_in: int, size_out: int, n: int
) -> None:
    known = DyadGeometry(size_in, size_out, n, variant, grain)
    layer = Layer(size_in, size_out, n, variant, grain)

    for ours, theirs in ((layer.inputs, known.input_side), (layer.outputs, known.output_side)):
        index = np.arange(theirs.features)
        np.testing.assert_array_equal(ours.group(index), theirs.group(index))
        np.testing.assert_array_equal(ours.position(index), theirs.position(index))


def test_the_first_corner_lies_inside_and_round_the_border() -> None:
    assert Layer(768, 3072, 4).corner() == (744, 792, 168, 216)
    assert Layer(8, 4, 2).corner() == (0, 4, 0, 8)


def test_a_chain_alternates_with_its_way_back() -> None:
    layers = chain(Layer(768, 3072, 8, "ot", 2), 3)

    assert [(step.in_features, step.out_features) for step in layers] == [(768, 3072), (3072, 768), (768, 3072)]
    assert {(step.n_blocks, step.variant, step.grain) for step in layers} == {(8, "ot", 2)}
    assert {step.variant for step in chain(layers[0], 4, back_variant="it")} == {"ot", "it"}


@pytest.mark.parametrize(
    ("layer", "cells"), [(Layer(768, 3072, 4), 96), (Layer(16384, 65536, 4), 128), (Layer(770, 770, 7), 128)]
)
def test_reduced_pictures_take_cells_of_whole_rounds_where_they_can(layer: Layer, cells: int) -> None:
    assert overview_cells(layer) == cells


def test_a_layer_survives_its_json() -> None:
    layer = Layer(64, 32, 4, "dt", 2)
    assert Layer.from_json({**layer.to_json(), "block_in": 16, "block_out": 8}) == layer
