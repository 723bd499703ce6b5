"""Counts survive the way through text."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from dyad_core.structure import decode_counts
from dyad_core.structure.encoding import encode_array, encoding_name


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
def test_decoding_returns_what_was_encoded(dtype: str):
    counts = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7), dtype=dtype, endpoint=True)
    decoded = decode_counts(encode_array(counts), 5, 7, dtype)
    assert decoded.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(decoded, counts)


def test_the_text_is_what_its_name_says():
    text = encode_array(np.array([[1, 256]], dtype=np.uint32))
    assert zlib.decompress(base64.b64decode(text)) == bytes([1, 0, 0, 0, 0, 1, 0, 0])
    assert encoding_name(np.dtype(np.uint32)) == "base64 zlib little-endian uint32, row-major, rows x columns"


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="reshape"):
        decode_counts(encode_array(np.zeros((2, 3), dtype=np.uint32)), 3, 3)
