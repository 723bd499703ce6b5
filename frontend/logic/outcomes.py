"""How a candidate came out: eight distinct states, each with a mark, a word for tables and a sentence.

The states are those of the service; ``pending`` is the dashboard's own, for what is not measured yet. Colour and mark
never stand alone: the word says the same.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMPARED", "OUTCOMES", "Outcome", "outcome", "words_of"]


@dataclass(frozen=True)
class Outcome:
    """One state: ``mark`` is one character, ``word`` stands in tables, ``short`` (or the word) beside a mark, ``meaning`` is a sentence."""

    mark: str
    word: str
    meaning: str
    short: str = ""


OUTCOMES: dict[str, Outcome] = {
    "faster": Outcome("▲", "faster", "The whole 95 % interval of its speed-up lies above 1.0x."),
    "slower": Outcome("▼", "slower", "The whole 95 % interval of its speed-up lies below 1.0x."),
    "not_distinguishable": Outcome(
        "≈",
        "not distinguishable from 1.0x",
        "The 95 % interval of its speed-up holds 1.0x: no difference was shown.",
        "not distinguishable",
    ),
    "measured": Outcome("●", "measured", "It was timed and there is nothing to compare it with."),
    "incorrect": Outcome(
        "✗", "wrong result, so no speed", "It failed the comparison with the oracle and was not timed."
    ),
    "out_of_memory": Outcome("▣", "out of memory", "It did not fit in the memory of the device."),
    "unsupported": Outcome("∅", "cannot run here", "It needs something that this machine or this pass does not have."),
    "failed": Outcome("!", "failed", "It ended with an error."),
    "pending": Outcome("…", "not measured yet", "Its turn has not come."),
}

COMPARED = frozenset({"faster", "slower", "not_distinguishable"})
"""States of a candidate with a speed-up."""


def outcome(name: str) -> Outcome:
    """Return a state by its name; one that only a newer service knows is said by its own name."""
    return OUTCOMES.get(name) or Outcome("?", name.replace("_", " "), "A state that this dashboard does not know.")


def words_of(name: str) -> str:
    """Return mark and word: ``▲ faster``."""
    known = outcome(name)
    return f"{known.mark} {known.word}"
