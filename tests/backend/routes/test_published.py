"""The published figures over REST: rows, sources, caveats, and what they are made of."""

from fastapi.testclient import TestClient

from dyad_core.bench.original_conditions import published_conditions
from dyad_core.published import layer_timing, quality


def test_the_timing_is_served_whole_and_taken_apart(shared_client: TestClient) -> None:
    answer = shared_client.get("/api/v1/published/timing").json()
    taken_apart = answer.pop("original_conditions")

    assert answer == layer_timing().to_dict()
    assert taken_apart == published_conditions().to_dict()
    assert taken_apart["label"] == "not like for like"
    total = taken_apart["decompositions"][0]["parts"][0]
    assert [round(total[name]["ratio"], 1) for name in ("headline", "structure", "precision")] == [3.2, 1.1, 2.9]


def test_the_quality_is_served_whole_with_its_ratios(shared_client: TestClient) -> None:
    answer = shared_client.get("/api/v1/published/quality").json()
    comparisons = answer.pop("comparisons")

    assert answer == quality().to_dict()
    assert len(comparisons) == len(quality().comparisons())
    assert {each["seeds"] for each in comparisons} == {1}
    assert all(a["ratio"] == a["candidate"] / a["dense"] for each in comparisons for a in each["aggregates"])
