"""``make test`` runs two halves side by side: together they are every test, and the failure of either is the failure of both."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_tests", ROOT / "scripts" / "run_tests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saying(text: str, code: int) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1), ((0, 2), 2), ((5, 1), 5)])
def test_both_are_heard_and_either_fails_the_whole(
    capfd: pytest.CaptureFixture[str], codes: tuple[int, int], expected: int
) -> None:
    assert load().side_by_side((saying("the library", codes[0]), saying("the others", codes[1]))) == expected
    assert capfd.readouterr().out.splitlines() == ["the others", "the library"]


def test_a_half_that_is_killed_fails_the_whole() -> None:
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert load().side_by_side((killed, saying("the others", 0))) == 9


def test_the_halves_are_every_test(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load()
    asked: list[tuple[list[str], list[str]]] = []
    monkeypatch.setattr(script, "processors", lambda: 2)
    monkeypatch.setattr(script, "side_by_side", lambda halves: asked.append(halves) or 0)
    assert script.main([]) == 0
    ((library, others),) = asked
    assert library[-1] == "tests/dyad_core"
    assert others[-2:] == ["tests", "--ignore=tests/dyad_core"]
    assert (ROOT / library[-1]).is_dir()
    # Nothing else chooses among tests.
    assert library[3:-1] == others[3:-2] == ["-p", "no:cacheprovider"]


@pytest.mark.parametrize(("arguments", "free"), [(["tests/backend", "-k", "cancel"], 8), ([], 1)])
def test_with_arguments_or_one_processor_it_is_plain_pytest(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], free: int
) -> None:
    script = load()
    asked: list[list[str]] = []

    class Done:
        returncode = 3

    monkeypatch.setattr(script, "processors", lambda: free)
    monkeypatch.setattr(script.subprocess, "run", lambda command, **_: asked.append(command) or Done())
    assert script.main(arguments) == 3
    assert asked == [[sys.executable, "-m", "pytest", *arguments]]
