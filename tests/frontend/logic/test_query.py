"""Controls in the address."""

from frontend.logic import query

DEFAULTS = {"in_features": 768, "variant": "it"}


def test_what_is_written_is_read_back() -> None:
    values = {"in_features": 1024, "variant": "dt"}
    assert query.read(query.write(values), DEFAULTS) == values


def test_what_cannot_be_read_is_left_out() -> None:
    typed = {"in_features": "many", "variant": "x" * 100, "unknown": "1"}
    assert query.read(typed, DEFAULTS) == {}
    assert query.read({"in_features": "-4"}, DEFAULTS) == {"in_features": -4}
