"""What hangs is waited for by one thread, however often it is asked."""

import asyncio
import threading

import pytest

from backend.observing.bounded import Bounded


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_an_answer_comes_back_in_threads_and_in_event_loops() -> None:
    question = Bounded(lambda: 7, 30.0, "seven")

    assert question.answer() == 7
    assert asyncio.run(question.answered()) == 7


def test_an_error_belongs_to_who_asked_and_the_next_one_asks_anew() -> None:
    answers = iter([ValueError("first"), 2])

    def ask() -> int:
        found = next(answers)
        if isinstance(found, ValueError):
            raise found
        return found

    question = Bounded(ask, 30.0, "errors")
    with pytest.raises(ValueError, match="first"):
        question.answer()
    assert question.answer() == 2


def test_a_hundred_askers_of_something_that_hangs_hold_one_thread_and_all_give_up() -> None:
    go_on, asked = threading.Event(), []

    def ask() -> str:
        asked.append(1)
        go_on.wait(60)
        return "late"

    question = Bounded(ask, 0.2, "hanging")

    async def many() -> list[object]:
        return await asyncio.gather(*(question.answered() for _ in range(100)), return_exceptions=True)

    for _ in range(3):
        assert all(isinstance(found, TimeoutError) for found in asyncio.run(many()))
    with pytest.raises(TimeoutError):
        question.answer()
    assert threads("hanging") == 1
    assert len(asked) == 1

    go_on.set()
    patient = Bounded(question.answer, 30.0, "patient")
    assert patient.answer() == "late"


def test_one_who_gives_up_does_not_end_the_wait_of_another() -> None:
    go_on = threading.Event()
    question = Bounded(lambda: go_on.wait(60), 30.0, "shared")

    async def both() -> bool:
        one, other = asyncio.create_task(question.answered()), asyncio.create_task(question.answered())
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0.05)
        go_on.set()
        return await other

    assert asyncio.run(both()) is True
