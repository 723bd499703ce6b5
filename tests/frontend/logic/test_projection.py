"""A projection's controls, requests and words."""

from frontend.logic.projection import DEFAULTS, controls_of, projectable, request_of, tensor_words, upload_words


def test_a_request_gives_its_controls_back() -> None:
    controls = DEFAULTS | {
        "variants": ["it"],
        "n_blocks": ["4", "12"],
        "second": "fc2.weight",
        "second_variant": "ot",
        "reorder_n_blocks": 8,
        "examine_n_blocks": 12,
        "residual_spectrum": True,
    }
    request = request_of("ab" * 16, "fc1.weight", controls)

    assert request["n_blocks"] == [4, 12]
    assert request["reorder"]["variant"] == "it"
    assert request["reorder"]["second_variant"] == "ot"
    assert controls_of(request) == controls


def test_detail_and_order_are_asked_for_only_when_chosen_and_words_are_passed_on() -> None:
    request = request_of("ab" * 16, None, DEFAULTS | {"examine": False, "n_blocks": ["four"]})

    assert request["examine"] is None
    assert request["reorder"] is None
    assert request["n_blocks"] == ["four"], "the service says what is wrong with it"


def test_files_and_tensors_are_named_with_what_they_hold() -> None:
    tensor = {"name": "fc1", "shape": [8, 4], "dtype": "float32", "bytes": 128, "projectable": True, "reason": None}
    upload = {"name": "m.npy", "bytes": 2**20, "projectable_count": 1, "created_at": "2026-03-01T14:05:00+00:00"}

    assert tensor_words(tensor) == "fc1 · 8 × 4 · float32"  # type: ignore[arg-type] # as it is sent
    assert upload_words(upload) == "m.npy · 1.00 MiB · 1 matrix · 2026-03-01 14:05 UTC"  # type: ignore[arg-type] # as it is sent
    assert projectable({"tensors": [tensor, tensor | {"projectable": False}]}) == [tensor]  # type: ignore[typeddict-item,list-item]
