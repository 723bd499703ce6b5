"""One measurement in a process of its own: its result, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from model_tools import made_up_model_run, tiny

from dyad_core.bench.process import Work
from dyad_core.errors import BenchmarkCancelled, SpecError
from dyad_core.models.measuring import ModelProgress, run_model
from dyad_core.models.measuring.isolation import COMMAND


def test_a_model_is_measured_in_a_process_of_its_own() -> None:
    heard: list[ModelProgress] = []
    run = run_model(tiny(), on_progress=heard.append)
    assert [each.outcome in ("faster", "slower", "not_distinguishable", "measured") for each in run.candidates] == [
        True, True,
    ]  # fmt: skip
    assert (heard[0].stage, heard[-1].stage) == ("starting", "finished")
    assert run.environment.threads == 1


def test_a_wrong_request_starts_no_process() -> None:
    def never(*_: Any, **__: Any) -> Any:
        pytest.fail("a process was started")

    with pytest.raises(SpecError):
        run_model(tiny(n_blocks=[7]), run_work=never)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(BenchmarkCancelled):
        run_model(tiny(), run_work=never, cancel=cancel)


@pytest.mark.parametrize("check", ["here", "there"])
def test_who_checks_is_in_the_request(check: Any) -> None:
    asked: list[Work] = []

    def answer(work: Work, /, **_: Any) -> Any:
        asked.append(work)
        return made_up_model_run().to_dict()

    assert run_model(tiny(), run_work=answer, check=check) == made_up_model_run()
    assert asked[0].command == COMMAND
    assert asked[0].request == {"spec": tiny().to_dict(), "warnings": [], "check": check == "there"}


def test_a_request_that_the_process_refuses_is_a_refusal_here() -> None:
    with pytest.raises(SpecError, match="n_blocks"):
        run_model(tiny(n_blocks=[7]), check="there")
