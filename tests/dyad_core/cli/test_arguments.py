from __future__ import annotations

import pytest

from dyad_core.cli.arguments import expanded

REPEATABLE = {"--blocks", "--variants"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--blocks 4 8 --variants it ot dt", "--blocks=4 --blocks=8 --variants=it --variants=ot --variants=dt"),
        ("--blocks 4 --blocks 8", "--blocks=4 --blocks=8"),
        ("--blocks 4,8", "--blocks=4 --blocks=8"),
        ("--blocks=4,8 16", "--blocks=4 --blocks=8 --blocks=16"),
        ("--blocks=4", "--blocks=4"),
        ("--blocks 4 8 --in 768", "--blocks=4 --blocks=8 --in 768"),
        ("--in 768 --out 3072", "--in 768 --out 3072"),
        ("--blocks -4", "--blocks=-4"),
        ("--blocks", "--blocks"),
        ("--blocks --json", "--blocks --json"),
        ("--blocks ,", "--blocks=,"),
        ("--in 768 stray", "--in 768 stray"),
        ("", ""),
    ],
)
def test_each_value_gets_a_flag_of_its_own(given: str, expected: str) -> None:
    assert expanded(given.split(), REPEATABLE) == expected.split()
