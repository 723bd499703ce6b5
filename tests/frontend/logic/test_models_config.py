"""A configuration as text and as a word in a link."""

import base64
import json
import zlib

import pytest

from frontend.logic.models_config import LONGEST_TEXT, ConfigError, config_text, pack, read_config, unpack

OPT = {"model_type": "opt", "hidden_size": 768, "activation_function": "relu", "architectures": ["OPTForCausalLM"]}


def test_a_configuration_survives_the_address() -> None:
    word = pack(json.dumps(OPT))

    assert word is not None
    assert word.replace("-", "").replace("_", "").isalnum()
    assert json.loads(unpack(word) or "") == OPT
    assert read_config(config_text(OPT)) == OPT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{", "is not JSON: line 1, column 2"),
        ('{"a": NaN}', "NaN is not a number of JSON"),
        ("[]", "must be a JSON object"),
        ("12", "must be a JSON object"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        (" " * LONGEST_TEXT + "{}", "characters; at most"),
    ],
)
def test_what_is_no_configuration_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config(text)
    assert pack(text) is None


def test_a_long_configuration_stays_out_of_the_address() -> None:
    labels = {str(at): f"class {at * 7919 % 10007} of {at}" for at in range(2000)}

    assert pack(json.dumps(OPT | {"id2label": labels})) is None


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


@pytest.mark.parametrize(
    "word",
    [
        "",
        "!!!",
        "AAAA",
        "a" * 5000,
        packed(b"[1]"),
        packed(b"\xff\xfe"),
        packed(b"{}")[:-3],
        packed(b" " * 2**24 + b"{}"),
    ],
    ids=["empty", "no letters", "not packed", "too long", "no object", "no text", "cut off", "a bomb"],
)
def test_a_word_that_is_none_is_left_out(word: str) -> None:
    assert unpack(word) is None
