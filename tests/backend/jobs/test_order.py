"""The order of the queue: priority, then the client that was served longest ago, then submission."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.jobs.order import NEVER, Waiting, fair_order

START = datetime(2026, 1, 1, tzinfo=UTC)
CLIENTS = ("ann", "ben", "cleo")


def jobs(*clients: str, priority: int = 0) -> list[Waiting]:
    return [Waiting(number, f"{client}{number}", client, priority) for number, client in enumerate(clients)]


def names(ordered: list[Waiting]) -> list[str]:
    return [job.id for job in ordered]


def one_after_the_other(waiting: list[Waiting], served: dict[str, datetime]) -> list[Waiting]:
    """The obvious twin: pick one, note when its client was served, and look at everything anew."""
    left, moments, ordered = list(waiting), dict(served), []
    while left:
        highest = max(job.priority for job in left)
        chosen = min(
            (job for job in left if job.priority == highest),
            key=lambda job: (
                moments.get(job.client, NEVER),
                min(other.number for other in left if (other.client, other.priority) == (job.client, highest)),
                job.number,
            ),
        )
        left.remove(chosen)
        ordered.append(chosen)
        moments[chosen.client] = START + timedelta(days=365, seconds=len(ordered))
    return ordered


def test_one_client_is_served_as_it_came() -> None:
    assert names(fair_order(reversed(jobs("ann", "ann", "ann")), {})) == ["ann0", "ann1", "ann2"]


def test_a_client_with_many_jobs_delays_another_by_one_at_most() -> None:
    waiting = jobs("ann", "ann", "ann", "ann", "ben")
    assert names(fair_order(waiting, {"ann": START})) == ["ben4", "ann0", "ann1", "ann2", "ann3"]
    assert names(fair_order(waiting, {"ben": START})) == ["ann0", "ben4", "ann1", "ann2", "ann3"]


def test_priority_goes_before_fairness() -> None:
    urgent = Waiting(9, "urgent", "ann", 5)
    assert names(fair_order([*jobs("ben", "ann"), urgent], {"ann": START}))[0] == "urgent"


waiting_jobs = st.lists(st.tuples(st.sampled_from(CLIENTS), st.integers(-1, 1)), max_size=12).map(
    lambda drawn: [Waiting(number, str(number), client, priority) for number, (client, priority) in enumerate(drawn)]
)
moments = st.dictionaries(st.sampled_from(CLIENTS), st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours)))


@given(waiting_jobs, moments, st.randoms())
def test_the_order_is_that_of_choosing_one_after_the_other(
    waiting: list[Waiting], served: dict[str, datetime], random: object
) -> None:
    shuffled = list(waiting)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fair_order(shuffled, served) == one_after_the_other(waiting, served)


@given(waiting_jobs, moments)
def test_nobody_is_served_twice_while_another_of_the_same_priority_waits_unserved(
    waiting: list[Waiting], served: dict[str, datetime]
) -> None:
    ordered = fair_order(waiting, served)
    for level in {job.priority for job in waiting}:
        of_level = [job.client for job in ordered if job.priority == level]
        left = Counter(of_level)
        for before, after in zip(of_level, of_level[1:], strict=False):
            left[before] -= 1
            if before == after:
                assert [client for client, count in left.items() if count] == [after]
