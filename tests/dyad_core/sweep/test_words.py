"""The rule in words: every form, from figures alone."""

from __future__ import annotations

import dataclasses

import pytest
from sweep_tools import HERE

from dyad_core.bench.results import Outcome, compared
from dyad_core.sweep.figures import Figure
from dyad_core.sweep.results import Rule
from dyad_core.sweep.spec import SweepSpec
from dyad_core.sweep.words import conditions, rule_of

SPEC = SweepSpec(widths=(256, 384, 512, 1024), tokens=(16, 256, 1024), passes=("train_step",))
WIDTHS, TOKENS = (256, 384, 512, 1024), (16, 256, 1024)
START = "On AMD EPYC (2 threads), float32, linear layers with out = 4 × in, training step: IT n=4 "


def figure(speedup: float | None, outcome: Outcome = "failed", detail: str = "") -> Figure:
    if speedup is None:
        return Figure(4, "it", "auto", "train_step", outcome, detail=detail)
    low, high = speedup / 1.02, speedup * 1.02
    return Figure(4, "it", "auto", "train_step", compared(low, high), speedup, low, high)


def rule(*rows: str, **changes: object) -> Rule:
    """A map by its rows, widest number of tokens first: + faster, - slower, 0 not distinguishable, ! failed, . nothing."""
    speeds = {"+": 1.25, "-": 0.8, "0": 1.01, "!": None}
    figures = {
        (width, tokens): figure(speeds[mark], detail="it broke")
        for tokens, row in zip(reversed(TOKENS), rows, strict=True)
        for width, mark in zip(WIDTHS, row, strict=True)
        if mark != "."
    }
    return rule_of(dataclasses.replace(SPEC, **changes), HERE, figures)


@pytest.mark.parametrize(
    ("rows", "finding", "said"),
    [
        (("++++", "++++", "++++"), "everywhere", "pays at all 12 measured sizes (widths 256 to 1024, 16 to 1024 tokens), from 1.25x to 1.25x."),
        (("----", "----", "----"), "nowhere", "pays at none of 12 measured sizes (widths 256 to 1024, 16 to 1024 tokens), at best 0.80x at width 256 with 1024 tokens."),
        (("----", "--0-", "----"), "nowhere", "not distinguishable from 1.0x at width 512 with 256 tokens, slower at the other 11."),
        (("0000", "0000", "0000"), "doubt", "is not distinguishable from 1.0x of dense at any of 12 measured sizes (widths 256 to 1024, 16 to 1024 tokens)."),
        (("--++", "--++", "--++"), "from", "pays from width 512 at 16 to 1024 tokens (slower at 384)."),
        (("-+++", "-0++", "---+"), "from", "pays from width 1024 at 16 tokens (slower at 512); from width 512 at 256 tokens (not distinguishable at 384); from width 384 at 1024 tokens (slower at 256)."),
        (("++--", "++--", "++--"), "from", "pays up to width 384 at 16 to 1024 tokens (slower at 512)."),
        (("++++", "++++", "----"), "from", "pays from 256 tokens at widths 256 to 1024 (slower at 16)."),
        (("----", "----", "++++"), "from", "pays up to 16 tokens at widths 256 to 1024 (slower at 256)."),
        (("-+++", "-+++", "----"), "from", "pays nowhere measured at 16 tokens; from width 384 at 256 to 1024 tokens (slower at 256)."),
        (("--++", ".-+.", "--++"), "from", "pays from width 512 at 16 to 1024 tokens (slower at 384)."),
        (("--++", ".-..", "--++"), "from", "pays from width 512 at 16 to 1024 tokens (slower at 384)."),
        (("0-++", "--++", "--++"), "from", "(slower at 384); not distinguishable from 1.0x at width 256 with 1024 tokens."),
        (("+-++", "++-+", "++++"), "exceptions", "pays at 10 of 12 measured sizes (widths 256 to 1024, 16 to 1024 tokens), with no clear border; exceptions: slower at width 384 with 1024 tokens and width 512 with 256 tokens."),
        (("-+--", "--+-", "-+--"), "exceptions", "pays at 3 of 12 measured sizes (widths 256 to 1024, 16 to 1024 tokens), with no clear border; it pays at width 384 with 16 tokens, width 384 with 1024 tokens and width 512 with 256 tokens."),
        (("+-+-", "0+-+", "+-+-"), "exceptions", "with no clear border; exceptions: slower at 5 sizes, not distinguishable at width 256 with 256 tokens."),
        (("!!!!", "!!!!", "!!!!"), "nothing", "could not be compared anywhere: failed at 12 sizes (it broke)."),
        (("--++", "--++", "--+!"), "from", "(slower at 384). At 1 further size there is no comparison: failed at 1 size (it broke)."),
        (("....", "..+.", "...."), "everywhere", "pays at the one measured size (width 512, 256 tokens), 1.25x."),
        (("....", "..-.", "...."), "nowhere", "pays at not even the one measured size (width 512, 256 tokens), at best 0.80x"),
    ],
)  # fmt: skip
def test_every_form(rows: tuple[str, ...], finding: str, said: str) -> None:
    found = rule(*rows)
    assert found.finding == finding
    assert found.text.startswith(START)
    assert said in found.text
    marks = "".join(rows)
    assert (found.faster, found.slower) == (marks.count("+"), marks.count("-"))
    assert (found.not_distinguishable, found.without_speed) == (marks.count("0"), marks.count("!"))


def test_many_borders_are_not_all_listed() -> None:
    widths, tokens = (256, 384, 512, 768, 1024, 1536), (1, 2, 4, 8, 16, 32)
    spec = SweepSpec(widths=widths, tokens=tokens)
    figures = {
        (width, count): dataclasses.replace(figure(1.25 if column >= 5 - row else 0.8))
        for column, width in enumerate(widths)
        for row, count in enumerate(tokens)
    }
    text = rule_of(spec, HERE, figures).text
    assert "in between the border moves, see the map" in text
    assert text.count("from width") <= 3


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"module": "feed_forward"}, "float32, feed-forward with hidden = 4 × in"),
        ({"widths": (), "sizes": ((768, 3072),)}, "float32, linear layers,"),
        ({"float32_matmul_precision": "high"}, "float32 at matmul precision 'high'"),
        ({"compile": True, "cache": "flushed"}, "out = 4 × in, compiled, cache flushed"),
        ({"allocator": "keep_pages"}, "freed pages kept"),
        ({"ratio": 1.0}, "out = 1 × in"),
    ],
)
def test_conditions_say_what_is_not_as_usual(changes: dict[str, object], part: str) -> None:
    assert part in conditions(dataclasses.replace(SPEC, **changes), HERE) + ","


def test_conditions_without_a_run_name_the_device_and_emulation_is_said() -> None:
    assert conditions(SPEC, None).startswith("On cpu, float32")
    assert "float32 (emulated)" in conditions(SPEC, dataclasses.replace(HERE, dtype_emulated=True))


def test_implementations_and_grain_are_named_where_they_are_not_the_usual() -> None:
    assert "IT n=4 g=8 (auto) pays" in rule("++++", "++++", "++++", grain=8, implementations=("auto", "eager")).text
