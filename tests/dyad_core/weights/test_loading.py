"""Loading: every format and type gives the matrix that was written, and a choice among tensors is a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dyad_core import SpecError
from dyad_core.weights import list_tensors, load_matrix

from .files import CODES, npy, safetensors, torch_file

FLOATS = [dtype for dtype in CODES if dtype.is_floating_point]


def problem_of(call: object, *arguments: object, **options: object):
    with pytest.raises(SpecError) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    (problem,) = caught.value.problems
    return problem


def arrays(dtype: str) -> st.SearchStrategy[np.ndarray]:
    width = np.dtype(dtype).itemsize * 8
    return npst.arrays(
        dtype,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=width),
    )


@given(st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", ">f2"]).flatmap(arrays), st.booleans(), st.booleans())
def test_npy_of_any_byte_order_and_memory_order(array: np.ndarray, fortran: bool, transpose: bool):
    loaded = load_matrix(npy(np.asfortranarray(array) if fortran else array), transpose=transpose)
    wanted = array.T if transpose else array
    assert loaded.values.dtype == (torch.float64 if array.dtype.itemsize == 8 else torch.float32)
    np.testing.assert_array_equal(loaded.values.numpy(), wanted)
    assert loaded.values.is_contiguous()
    assert loaded.dtype == array.dtype.newbyteorder("=").name


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5).filter(lambda name: name != "__metadata__" and name.isprintable()),
        st.tuples(st.sampled_from(FLOATS), st.integers(1, 5), st.integers(1, 5), st.integers(0, 9)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 20),
)
def test_safetensors_with_many_tensors_of_many_types(drawn: dict[str, tuple[torch.dtype, int, int, int]], pad: int):
    tensors = {
        name: torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).to(dtype)
        for name, (dtype, rows, columns, seed) in drawn.items()
    }
    data = safetensors(tensors, {"format": "pt"}, pad)
    assert [(entry.name, entry.shape) for entry in list_tensors(data)] == [
        (name, tuple(tensor.shape)) for name, tensor in tensors.items()
    ]
    for name, tensor in tensors.items():
        loaded = load_matrix(data, name)
        work = torch.float64 if tensor.dtype == torch.float64 else torch.float32
        assert torch.equal(loaded.values, tensor.to(work))
        assert loaded.dtype == str(tensor.dtype).removeprefix("torch.")


@pytest.mark.parametrize("from_bytes", [True, False])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_state_dict_of_torch(dtype: torch.dtype, from_bytes: bool, tmp_path: Path):
    layer = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4)).to(torch.float32)
    weight = layer[0].weight.detach().to(dtype)
    state = {**layer.state_dict(), "0.weight": weight}
    path = tmp_path / "model.pt"
    path.write_bytes(torch_file(state))
    loaded = load_matrix(path.read_bytes() if from_bytes else path)
    assert (loaded.name, loaded.format) == ("0.weight", "torch")
    assert torch.equal(loaded.values, weight.to(loaded.values.dtype))


def test_torch_files_that_are_nested_bare_strided_or_of_parameters():
    weight = torch.arange(12.0).view(3, 4)
    nested = {"epoch": 3, "model": {"fc": {"weight": torch.nn.Parameter(weight)}}, "again": {}}
    assert load_matrix(torch_file(nested)).name == "model.fc.weight"
    assert torch.equal(load_matrix(torch_file(nested)).values, weight)
    assert torch.equal(load_matrix(torch_file(weight.T)).values, weight.T)
    assert torch.equal(load_matrix(torch_file({"row": torch.stack([weight, weight])[1]})).values, weight)


def test_the_three_formats_are_told_by_content_and_not_by_name(tmp_path: Path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensor = torch.from_numpy(array)
    for data, kind in ((npy(array), "npy"), (safetensors({"w": tensor}), "safetensors"), (torch_file(tensor), "torch")):
        path = tmp_path / "no_ending"
        path.write_bytes(data)
        link = tmp_path / f"link-{kind}.txt"
        link.symlink_to(path)
        for source in (path, str(link), data):
            loaded = load_matrix(source)
            assert loaded.format == kind
            np.testing.assert_array_equal(loaded.values.numpy(), array)


def test_a_safetensors_header_that_begins_like_a_pickle():
    tensors = {"w": torch.ones(2, 2)}
    short = int.from_bytes(safetensors(tensors)[:8], "little")
    data = safetensors(tensors, pad=0x280 - short)
    assert data[:2] == b"\x80\x02"
    assert load_matrix(data).values.sum() == 4


def test_files_of_the_safetensors_library_where_it_is_installed():
    library = pytest.importorskip("safetensors.torch", reason="the safetensors package is not installed")
    tensors = {"a": torch.randn(3, 4).bfloat16(), "b": torch.randn(2, 5), "c": torch.arange(3)}
    data = library.save(tensors, {"format": "pt"})
    assert torch.equal(load_matrix(data, "a").values, tensors["a"].float())
    assert torch.equal(load_matrix(data, "b").values, tensors["b"])


def test_what_it_is_as_json():
    loaded = load_matrix(safetensors({"w": torch.ones(2, 3, dtype=torch.bfloat16)}), transpose=True)
    assert loaded.to_dict() == {
        "name": "w", "format": "safetensors", "dtype": "bfloat16", "transposed": True, "out_features": 3, "in_features": 2,
    }  # fmt: skip
    (entry,) = list_tensors(npy(np.ones((2, 3))))
    assert entry.to_dict() == {"name": "array", "dtype": "float64", "shape": [2, 3], "bytes": 48, "is_matrix": True}


MODEL = {
    "fc1.weight": torch.ones(2, 3),
    "fc2.weight": torch.ones(3, 2),
    "fc1.bias": torch.ones(2),
    "conv.weight": torch.ones(2, 3, 1),
    "ids": torch.ones(2, 2, dtype=torch.int64),
    "empty": torch.ones(0, 3),
}


@pytest.mark.parametrize("write", [safetensors, torch_file])
@pytest.mark.parametrize(
    ("name", "rule", "suggestion"),
    [
        (None, "must name one of the file's 2 matrices", "fc1.weight [2, 3] float32, fc2.weight [3, 2] float32"),
        ("fc1.wieght", "must be the name of a tensor", "nearest names: fc1.weight"),
        ("fc1.bias", "this has rank 1", "the file's matrices: fc1.weight"),
        ("conv.weight", "must be a matrix (rank 2); this has rank 3", "fc2.weight [3, 2]"),
        ("ids", "must hold floating-point numbers", "multiply by their scale"),
        ("empty", "must hold at least one value", "fc1.weight"),
    ],
)
def test_a_wrong_choice_says_what_there_is(write, name: str | None, rule: str, suggestion: str):
    problem = problem_of(load_matrix, write(MODEL), name)
    assert problem.field == "tensor"
    assert rule in problem.rule
    assert suggestion in problem.suggestion


def test_a_file_without_a_matrix():
    problem = problem_of(load_matrix, npy(np.ones((2, 3, 4))))
    assert "two axes" in problem.rule
    assert "[2, 3, 4]" in problem.received
    assert "no tensors" in problem_of(load_matrix, torch_file({"epoch": 1})).received


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_too_large_says_the_limit_and_how_to_raise_it(dtype: torch.dtype):
    data = safetensors({"w": torch.ones(8, 8, dtype=dtype)})
    problem = problem_of(load_matrix, data, max_bytes=255)
    assert "max_bytes=255 bytes" in problem.rule
    assert "256 bytes" in problem.received
    assert "max_bytes=256" in problem.suggestion
    assert load_matrix(data, max_bytes=256).values.shape == (8, 8)


def test_nan_and_infinity_are_counted_and_placed():
    array = np.ones((300, 20_000), dtype=np.float32)  # more than one piece
    array[250, 7], array[299, 19_999] = np.nan, -np.inf
    problem = problem_of(load_matrix, npy(array))
    assert "2 of 6,000,000" in problem.received
    assert "nan at row 250, column 7" in problem.received


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder, "must be a regular file"),
        (lambda folder: folder / "absent.npy", "No such file"),
        (lambda folder: "/dev/zero", "must be a regular file"),
        (lambda folder: "a\0b", "must be readable"),
    ],
)
def test_paths_that_are_no_files(make, words: str, tmp_path: Path):
    assert words in problem_of(load_matrix, make(tmp_path)).rule


HUGE = """
import resource, sys
from dyad_core.weights import list_tensors, load_matrix
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert list_tensors(sys.argv[1])[0].bytes == 2**36
try:
    load_matrix(sys.argv[1])
except ValueError as error:
    assert "max_bytes" in str(error), error
else:
    raise SystemExit("loaded 64 GiB")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_huge_matrix_is_refused_before_memory_is_taken(tmp_path: Path):
    path = tmp_path / "sparse.npy"
    header = npy(np.zeros((0, 0), dtype=np.float32)).replace(b"(0, 0), }" + b" " * 12, b"(131072, 131072), }  ")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 2**36)  # a hole: no disk is used
    done = subprocess.run([sys.executable, "-c", HUGE, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000  # kilobytes
