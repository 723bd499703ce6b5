"""Each entry of the dense weight names the parameters that stand behind it."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings

from dyad_core import DyadGeometry, DyadLinear, SpecError
from dyad_core.structure import Window, describe_entry, pattern

from .oracle import layers


def coded_layer(geometry: DyadGeometry) -> DyadLinear:
    """A layer whose every parameter has a value of its own, so that the dense weight tells who made it."""
    layer = DyadLinear(
        geometry.in_features,
        geometry.out_features,
        bias=False,
        dtype=torch.float64,
        n_blocks=geometry.n_blocks,
        variant=geometry.variant,
        grain=geometry.grain,
    )
    with torch.no_grad():
        for component, parameter in enumerate(layer.parameters()):
            codes = torch.arange(1, parameter.numel() + 1, dtype=torch.float64)
            parameter.copy_((codes * (100_000 if component else 1)).view_as(parameter))
    return layer


@settings(max_examples=25)
@given(layers())
def test_entries_name_the_parameters_of_the_layer(geometry: DyadGeometry):
    layer = coded_layer(geometry)
    dense = layer.to_dense().detach()
    # Every third entry of each axis, so that large layers stay quick; the steps are coprime to no n alone.
    for output, input in itertools.product(range(0, geometry.out_features, 3), range(0, geometry.in_features, 3)):
        entry = describe_entry(geometry, output, input)
        value = sum(
            getattr(layer, f"weight_{p.component}")[p.block, p.output_position, p.input_position].item()
            for p in entry.parameters
        )
        assert value == dense[output, input].item()


@given(layers())
def test_a_picture_of_single_entries_names_the_same_parameters(geometry: DyadGeometry):
    window = Window(geometry.out_features // 3, geometry.out_features, geometry.in_features // 2, geometry.in_features)
    entries = pattern(geometry, window=window).to_dict()["entries"]
    outputs, inputs = entries["outputs"], entries["inputs"]
    for row, column in itertools.islice(
        itertools.product(range(window.out_stop - window.out_start), range(window.in_stop - window.in_start)),
        0,
        None,
        7,
    ):
        named = [
            (component, outputs[f"{component}_block"][row],
             outputs[f"{component}_position"][row], inputs[f"{component}_position"][column])
            for component in ("blockdiag", "blocktrans")
            if outputs[f"{component}_block"] is not None
            and outputs[f"{component}_block"][row] == inputs[f"{component}_block"][column]
        ]  # fmt: skip
        entry = describe_entry(geometry, window.out_start + row, window.in_start + column)
        assert named == [(p.component, p.block, p.output_position, p.input_position) for p in entry.parameters]


def test_an_entry_in_words():
    entry = describe_entry(DyadGeometry(8, 8, 2, "it"), 1, 2)
    assert [str(parameter) for parameter in entry.parameters] == [
        "weight_blockdiag[0, 1, 2]",
        "weight_blocktrans[0, 1, 1]",
    ]
    assert entry.to_dict()["parameters"][1] == {
        "component": "blocktrans", "block": 0, "output_position": 1, "input_position": 1,
    }  # fmt: skip
    assert describe_entry(DyadGeometry(8, 8, 2, "it"), 7, 0).parameters == ()


@pytest.mark.parametrize(
    ("output", "input", "fields"), [(8, 0, ["output"]), (-1, 16, ["output", "input"]), (0.0, True, ["output", "input"])]
)
def test_entries_outside_the_matrix_are_refused(output: object, input: object, fields: list[str]):
    with pytest.raises(SpecError) as caught:
        describe_entry(DyadGeometry(16, 8, 2), output, input)
    assert [problem.field for problem in caught.value.problems] == fields
