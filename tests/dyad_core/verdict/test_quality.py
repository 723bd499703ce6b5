from __future__ import annotations

import pytest

from dyad_core.geometry import DyadGeometry
from dyad_core.verdict.quality import quality_of, within_loss


@pytest.mark.parametrize("sizes", [(768, 3072), (3072, 768)])
def test_either_layer_of_a_published_model_has_its_evidence_with_the_caveat(sizes: tuple[int, int]) -> None:
    found = quality_of(DyadGeometry(*sizes, 4, "it"))

    assert {(each.model, each.training_words) for each in found.evidence} == {
        ("opt-125m", "10M"), ("opt-125m", "100M"), ("pythia-160m", "10M"),
    }  # fmt: skip
    assert found.lowest_ratio == pytest.approx(0.935, abs=5e-4)
    assert found.highest_ratio == pytest.approx(1.055, abs=5e-4)
    assert "published scores are 0.935 to 1.055 of dense" in found.reading
    assert "one seed each" in found.reading
    assert "asappresearch/dyad" in found.source


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (DyadGeometry(2048, 8192, 4, "it"), "no evidence at this size"),
        (DyadGeometry(1024, 4096, 8, "ot"), "no evidence for OT n=8 at this size: published models have IT n=4"),
        (DyadGeometry(768, 3072, 4, "it", 2), "no evidence for IT n=4 with grain=2 at this size"),
        (DyadGeometry(768, 3072, 4, "bd"), "no evidence for BD n=4"),
    ],
)
def test_what_nobody_published_is_said_and_not_made_up(geometry: DyadGeometry, words: str) -> None:
    found = quality_of(geometry)

    assert found.evidence == ()
    assert found.lowest_ratio is None
    assert words in found.reading
    assert within_loss(found, None)
    assert not within_loss(found, 1.0)
