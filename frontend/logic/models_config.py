"""The text of a ``config.json`` as an object, and as a short word for the address of the page.

The service judges what is in it; here it only has to be an object that can be sent. What a link carries is read with care:
it is packed, so its length says nothing about how much comes out.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

__all__ = ["LONGEST_TEXT", "LONGEST_WORD", "ConfigError", "config_text", "pack", "read_config", "unpack"]

LONGEST_TEXT = 2**18
"""Characters; the configurations that one meets have some thousand, those with names of classes a hundred thousand."""

LONGEST_WORD = 4000
"""Characters of the packed text in an address; browsers and proxies take more than that."""


class ConfigError(ValueError):
    """A text that is no configuration; the sentence goes on after the name of the field."""


def read_config(text: str) -> dict[str, Any]:
    """Return the object of a ``config.json``.

    Raises:
        ConfigError: as "must be a JSON object".
    """
    if not text.strip():
        raise ConfigError("is empty: paste the config.json of a model, or choose a file")
    if len(text) > LONGEST_TEXT:
        raise ConfigError(f"has {len(text)} characters; at most {LONGEST_TEXT} are taken")
    try:
        found = json.loads(text, parse_constant=_no_constant)
        # A text may name half of a surrogate pair, which no message can carry.
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ConfigError(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise ConfigError("holds characters that are none (half of a surrogate pair)") from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply") from error
    if not isinstance(found, dict):
        raise ConfigError('must be a JSON object, as {"model_type": "opt", …}')
    return found


def _no_constant(name: str) -> float:
    raise json.JSONDecodeError(f"{name} is not a number of JSON", name, 0)


def config_text(config: dict[str, Any]) -> str:
    """Return a configuration as people read it, one field a line."""
    return json.dumps(config, indent=2, ensure_ascii=False)


def pack(text: str) -> str | None:
    """Return a short word that :func:`unpack` turns into the same configuration; None where it is too long or no object."""
    try:
        config = read_config(text)
    except ConfigError:
        return None
    plain = json.dumps(config, ensure_ascii=False, separators=(",", ":")).encode()
    word = base64.urlsafe_b64encode(zlib.compress(plain, 9)).decode().rstrip("=")
    return word if len(word) <= LONGEST_WORD else None


def unpack(word: str) -> str | None:
    """Return the configuration of a link as text, None where it cannot be read."""
    if len(word) > LONGEST_WORD:
        return None
    try:
        packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        opened = zlib.decompressobj()
        plain = opened.decompress(packed, LONGEST_TEXT)
        if opened.unconsumed_tail or not opened.eof:
            return None
        return config_text(read_config(plain.decode()))
    except (binascii.Error, zlib.error, UnicodeDecodeError, ConfigError):
        return None
