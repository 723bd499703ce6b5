"""The service under load while its parts are killed at random moments: nothing is lost, doubled or left behind.

The short form is in every ``make test``. The long one (``make soak``) kills 200 times; ``SOAK_KILLS`` and ``SOAK_SEED``
change how often and which moments.
"""

import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgres_tools import running_postgres
from ray_tools import ray_cluster, skip_reason
from soak.faults.bench import run_bench
from soak.faults.parts import Database, Mortal, Node
from soak.faults.report import Report
from soak.faults.service import COOKIE
from soak.reports import publish

SHORT = 4
WEIGHTS = {"server": 5, "stop": 1, "worker": 4}


def checked(report: Report) -> None:
    publish(f"faults_{report.scenario}", report.table(), report.values())
    assert report.books.wrong == []


@contextmanager
def postgres_and_ray(seed: int) -> Iterator[dict[str, Mortal]]:
    """A database and a cluster of a head and two nodes; every process of them carries the cookie of the bench."""
    with pytest.MonkeyPatch.context() as patch, running_postgres() as server:
        patch.setenv(COOKIE, uuid.uuid4().hex)
        with ray_cluster() as cluster:
            yield {"database": Database(server), "node": Node(cluster, seed)}


def long_form() -> dict[str, int]:
    return {
        "kills": int(os.environ.get("SOAK_KILLS", "200")),
        "seed": int(os.environ.get("SOAK_SEED", secrets.randbelow(10**6))),
    }


def test_a_few_kills_on_sqlite_lose_and_double_nothing(tmp_path: Path) -> None:
    checked(run_bench("sqlite_short", tmp_path / "bench", kills=SHORT, seed=6, weights=WEIGHTS))


def test_a_few_kills_on_postgresql_lose_and_double_nothing(tmp_path: Path) -> None:
    with running_postgres() as server:
        mortals, weights = {"database": Database(server)}, {"database": 3, "server": 2}
        report = run_bench(
            "postgresql_short", tmp_path / "bench", kills=SHORT, seed=6, weights=weights, mortals=mortals
        )
    checked(report)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills_on_sqlite_lose_and_double_nothing(tmp_path: Path) -> None:
    checked(run_bench("sqlite", tmp_path / "bench", **long_form(), weights=WEIGHTS))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills_on_postgresql_lose_and_double_nothing(tmp_path: Path) -> None:
    with running_postgres() as server:
        mortals, weights = {"database": Database(server)}, WEIGHTS | {"database": 4}
        report = run_bench("postgresql", tmp_path / "bench", **long_form(), weights=weights, mortals=mortals)
    checked(report)


@pytest.mark.soak
@pytest.mark.timeout(14400)
@pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())
def test_many_kills_on_postgresql_and_ray_lose_and_double_nothing(tmp_path: Path) -> None:
    form = long_form()
    with postgres_and_ray(form["seed"]) as mortals:
        weights = WEIGHTS | {"database": 3, "node": 5}
        report = run_bench("postgresql_ray", tmp_path / "bench", **form, weights=weights, mortals=mortals)
    checked(report)
