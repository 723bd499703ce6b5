"""The reference suite holds the models and sizes that it is for, and every request in it is possible."""

from __future__ import annotations

import pytest

from dyad_core.errors import SpecError
from dyad_core.models.cost.estimate import answer
from dyad_core.models.measuring.files import load_model_run
from dyad_core.models.measuring.reference import FOLDER, file_name, model_suite


def test_published_models_at_both_sizes_in_bfloat16_on_a_gpu() -> None:
    specs = model_suite("reference", "cuda")
    assert {(spec.config, spec.batch, spec.sequence) for spec in specs} == {
        (model, *size)
        for model in ("opt-125m", "opt-350m", "opt-1.3b", "pythia-160m")
        for size in ((32, 128), (8, 2048))
    }
    assert {(spec.dtype, spec.device) for spec in specs} == {("bfloat16", "cuda")}
    assert len({file_name(spec) for spec in specs}) == len(specs)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_request_can_be_answered(device: str) -> None:
    for spec in model_suite("reference", device, quick=device == "cpu"):
        if spec.config != "opt-1.3b":  # the same architecture, and slow to follow
            assert all(each.cost is not None for each in answer(spec.estimate_spec()).candidates)


def test_an_unknown_suite_is_refused() -> None:
    with pytest.raises(SpecError, match="suite"):
        model_suite("speed")


def test_kept_runs_can_be_read() -> None:
    for path in FOLDER.glob("*.json"):
        assert load_model_run(path).spec.device.startswith(("cpu", "cuda"))
