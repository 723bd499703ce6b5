"""A sweep as maps, from a result in the service's shape."""

from typing import Any

from frontend.logic.crossover import Key, growing_maps, maps_of, point_records, point_words, rule_of
from frontend.schemas_sweep import SweepResult

PLACE = {"n_blocks": 4, "variant": "it", "implementation": "auto", "pass": "forward"}
SPEC = {"widths": [256, 64], "tokens": [16], "n_blocks": [4], "variants": ["it"], "passes": ["forward", "train_step"]}


def result() -> SweepResult:
    def point(width: int, outcome: str, speedup: float | None, **more: Any) -> dict[str, Any]:
        low, high = (None, None) if speedup is None else (0.9 * speedup, 1.1 * speedup)
        figure = PLACE | {
            "outcome": outcome,
            "speedup": speedup,
            "speedup_low": low,
            "speedup_high": high,
            "chosen": "eager",
        }
        return {"in_features": width, "out_features": 4 * width, "tokens": 16, "figures": [figure], **more}

    surface = {
        "widths": [64, 128, 256],
        "tokens": [16],
        "speedup": [[0.5, 0.8, 1.5]],
        "low": [[0.4, 0.7, 1.4]],
        "high": [[0.6, 0.9, 1.6]],
        "measured": [[True, False, True]],
    }
    lines = {"lines": [[[160.0, 16.0]]], "low_lines": [], "high_lines": []}
    known: Any = {
        "points": [
            point(64, "slower", 0.5),
            point(256, "faster", 1.5, reused=True),
            point(512, "out_of_memory", None, detail="it needs 9 GiB"),
        ],
        "contours": [PLACE | lines | {"surface": surface}],
        "rules": [PLACE | {"text": "IT n=4 pays from width 256."}],
    }
    return known


def test_a_result_is_a_map_per_key_with_its_points_and_lines() -> None:
    (only,) = maps_of(result())

    assert only.key.label == "IT n=4, forward"
    assert only.speedup == ((0.5, 0.8, 1.5),)
    assert [only.measured_at(width, 16) for width in only.widths] == [True, False, True]
    assert only.lines == (((160.0, 16.0),),)
    assert rule_of(result(), only.key) == "IT n=4 pays from width 256."
    assert rule_of(result(), Key("decode", 4, "it", "auto")) == ""


def test_a_growing_sweep_has_all_its_maps_and_lattice_from_the_start() -> None:
    row = {"width": 64, "out_features": 256, "tokens": 16, "n": 4, "variant": "it", "pass": "forward"}
    rows = [row | {"outcome": "slower", "speedup": 0.5, "low": 0.4, "high": 0.6}]
    before, later = growing_maps(SPEC, []), growing_maps(SPEC, rows)

    assert [each.key for each in before] == [each.key for each in later]
    assert [each.key.label for each in later] == ["IT n=4, forward", "IT n=4, training step"]
    assert later[0].widths == before[0].widths == (64, 256)
    assert later[0].speedup == ((0.5, None),)
    assert later[1].points == ()
    assert growing_maps(SPEC | {"sizes": [[768, 3072]], "widths": []}, [])[0].widths == (768,)


def test_the_hover_says_everything_of_a_point() -> None:
    (only,) = maps_of(result())
    taken, missing = (point_words(point, only.key) for point in only.points[1:])

    for part in (
        "256 → 1024",
        "16 tokens",
        "IT n=4, forward",
        "1.50x of dense",
        "1.35x to 1.65x",
        "▲ faster",
        "eager",
        "taken over",
    ):
        assert part in taken
    assert "out of memory" in missing
    assert "it needs 9 GiB" in missing


def test_the_table_has_every_measured_size() -> None:
    records = point_records(maps_of(result()))

    assert [record["outcome"] for record in records] == ["▼ slower", "▲ faster", "▣ out of memory: it needs 9 GiB"]
    assert records[1]["taken over"]
