"""Numbers as people read them."""

import pytest

from frontend.logic import words


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (72_364_032, "69.0 MiB"),
        (2**40, "1.00 TiB"),
    ],
)
def test_data_size(size: float | None, text: str) -> None:
    assert words.data_size(size) == text


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [(None, "–"), (0.0123, "12.3 µs"), (1.234, "1.23 ms"), (14.0, "14.0 ms"), (711.4, "711 ms"), (12_345.0, "12.3 s")],
)
def test_milliseconds(time_ms: float | None, text: str) -> None:
    assert words.milliseconds(time_ms) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (8.2, "8 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3840, "1 h 04 min")]
)
def test_duration(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(None, "–"), (0.58, "0.58x"), (1.874, "1.87x"), (128.0, "128x")])
def test_factor(ratio: float | None, text: str) -> None:
    assert words.factor(ratio) == text


def test_moment_is_in_utc_whatever_came() -> None:
    assert words.moment("2026-03-01T15:05:00+01:00") == "2026-03-01 14:05 UTC"
    assert words.moment("2026-03-01T14:05:00") == "2026-03-01 14:05 UTC"
    assert words.moment(None) == "–"


def test_a_problem_is_a_sentence_with_field_rule_value_and_advice() -> None:
    sentence = words.problem_sentence("in_features", "must be divisible by n_blocks=4", 770, "nearest: 768, 772")

    assert sentence == "**in_features** must be divisible by n_blocks=4 (received `770`). Nearest: 768, 772."
    assert words.problem_sentence("tokens", "is required", None, "") == "**tokens** is required."


def test_a_definition_is_a_sentence_with_its_conditions_as_code() -> None:
    given = "BLOCKDIAG connects output o to input i when o // 8 = i // 2; BLOCKTRANS when o // 8 = i mod 4"
    assert words.formula(given) == (
        "BLOCKDIAG connects output o to input i when `o // 8 = i // 2`; BLOCKTRANS when `o // 8 = i mod 4`."
    )


def test_layers_are_counted_from_one_as_in_the_table() -> None:
    rule, advice = (
        "must equal out_features=512 of the layer before",
        "set in_features=512, or out_features=768 in layers.1",
    )
    assert words.problem_sentence("layers.2.in_features", rule, 768, advice) == (
        "**in_features of layer 3** must equal out_features=512 of the layer before (received `768`). "
        "Set in_features=512, or out_features=768 in layer 2."
    )
