from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest
import typer

from dyad_core import __version__
from dyad_core.cli import group, main


def dyad(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return 0 if caught.value.code is None else int(caught.value.code)


def entry(name: str, value: str) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(name, value, group.ENTRY_POINT_GROUP)


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> dict[str, importlib.metadata.EntryPoint]:
    """The commands of other packages; tests fill it."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    monkeypatch.setattr(group, "entry_points", lambda: found)
    return found


def hello(name: str = "you") -> None:
    """Greet."""
    typer.echo(f"hello {name}")


several = typer.Typer(help="Several commands.")
several.command("one")(hello)
several.command("two")(hello)


def test_help_lists_the_built_in_commands(entries: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("--help") == 0
    text = capsys.readouterr().out
    assert "bench" in text
    assert "structure" in text
    assert "Measure DYAD layers" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("--version") == 0
    assert capsys.readouterr().out == f"dyad-explorer {__version__}\n"


def test_an_unknown_command_is_wrong_input(entries: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert dyad("wat") == 2
    assert "No such command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "arguments", "said"),
    [
        ("hello", ["greet", "--name", "Ada"], "hello Ada\n"),
        ("several", ["greet", "two", "--name", "Bob"], "hello Bob\n"),
    ],
)
def test_other_packages_add_functions_and_groups(entries, capsys, monkeypatch, value, arguments, said) -> None:
    monkeypatch.setitem(sys.modules, "elsewhere", sys.modules[__name__])
    entries["greet"] = entry("greet", f"elsewhere:{value}")
    assert dyad(*arguments) == 0
    assert capsys.readouterr().out == said


def test_an_absent_package_is_listed_as_unavailable_and_says_why(entries, capsys, monkeypatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)  # read from the environment when typer is imported
    entries["up"] = entry("up", "no_such_package.cli:up")
    assert dyad("--help") == 0
    assert "Unavailable: the package 'no_such_package' is not installed here." in capsys.readouterr().out
    for arguments in (["up"], ["up", "--port", "5", "x"]):
        assert dyad(*arguments) == 1
        assert (
            capsys.readouterr().err == "dyad up is unavailable: the package 'no_such_package' is not installed here.\n"
        )


def test_a_built_in_command_cannot_be_replaced(entries, capsys) -> None:
    entries["bench"] = entry("bench", "no_such_package:x")
    assert dyad("bench", "--help") == 0
    assert "--blocks" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from dyad_core.cli import main; main(['bench'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'dyad-explorer[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
