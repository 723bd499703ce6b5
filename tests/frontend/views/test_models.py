"""The Models page through the entry script, against made-up answers: every state, at once."""

import json
from collections.abc import Callable

import httpx
import pytest
import streamlit as st
from dashboard_tools import texts
from made_up_models import JOB, made_job, made_run
from made_up_service import MadeService
from streamlit.testing.v1 import AppTest

from dyad_core.models.spec import ModelSpec
from frontend.logic.models_config import pack
from frontend.sections import backend, models_estimate

Open = Callable[..., AppTest]
THREE = ModelSpec("opt-125m", n_blocks=(4, 8), variants=("it", "dt"), passes=("train_step", "prefill", "decode"))
VIT = json.dumps({"model_type": "vit", "num_hidden_layers": 2})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeService:
    found = MadeService()
    monkeypatch.setattr(backend, "connections", found.client)
    return found


@pytest.fixture
def service(made: MadeService) -> httpx.Client:
    """In place of the real one: ``open_page`` opens pages at it."""
    return made.client("http://made-up")


def alts(page: AppTest) -> list[str]:
    return [element.proto.alt for element in page.get("plotly_chart")]


def test_the_page_opens_with_a_sentence_then_figures_and_every_control_is_explained(open_page: Open) -> None:
    page = open_page("models")

    assert not page.exception
    assert page.title[0].value == "Models"
    assert "### DYAD keeps 77% of the parameters" in texts(page.markdown)
    assert "**24 of 73 linear layers are replaced**: 12 × `model.decoder.layers.*.fc1`" in texts(page.markdown)
    parameters, memory = alts(page)
    assert parameters.startswith("Parameters by kind of layer, share of dense in brackets: dense 125.2 M: embedding")
    assert "IT n=4 96.9 M (77 %)" in parameters
    assert "IT n=8 checkpointed" in memory
    assert "Not measured here yet" in texts(page.info)
    assert "swap(model, n_blocks=4, variant='it')" in texts(page.code)
    controls = [*page.selectbox, *page.number_input, *page.multiselect, *page.checkbox, *page.radio]
    assert [control.label for control in controls if not control.help] == []


def test_the_tables_have_every_candidate_and_layers_that_repeat_once(open_page: Open) -> None:
    page = open_page("models", model="opt-350m")

    compared, layers = (frame.value for frame in page.dataframe)
    assert list(compared["model"]) == ["dense", "IT n=4", "IT n=8"]
    assert list(layers["layers"]) == [24, 24, 24, 24, 24, 24, 1]
    assert layers["becomes"][0] == "DYAD"
    assert "tied" in layers["becomes"].iloc[-1]


def test_controls_change_the_answer_and_the_address_and_the_address_the_controls(open_page: Open) -> None:
    page = open_page("models")
    page.selectbox(key="models.model").select("opt-350m")
    page.multiselect(key="models.n_blocks").set_value(["4", "16"])
    page.number_input(key="models.batch").set_value(8)
    page.checkbox(key="models.checkpointing").check().run()

    assert not page.exception
    held = dict(page.query_params)
    assert held == {"model": "opt-350m", "n_blocks": "4,16", "batch": "8", "checkpointing": "1"}
    other = open_page("models", **held)
    assert other.multiselect(key="models.n_blocks").value == ["4", "16"]
    assert other.checkbox(key="models.checkpointing").value
    assert alts(other) == alts(page)


def test_what_cannot_be_built_says_why_and_the_others_are_shown(open_page: Open) -> None:
    page = open_page("models", n_blocks="7,8", variants="it,dt")

    assert not page.exception
    (warning,) = page.warning
    assert warning.value.startswith("**IT n=7, DT n=7 cannot be built:**\n\n- in_features of fc1 must be divisible")
    assert "IT n=7 cannot be built" in alts(page)[0]
    assert "swap(model, n_blocks=8" in texts(page.code)


def test_a_configuration_of_ones_own_begins_as_that_of_the_model_before(open_page: Open, made: MadeService) -> None:
    page = open_page("models", model="opt-350m")
    page.selectbox(key="models.model").select("config.json").run()
    assert json.loads(page.text_area(key="models.config_text").value)["num_hidden_layers"] == 24

    page.text_area(key="models.config_text").set_value('{"model_type": "opt", "num_hidden_layers": 2}').run()
    assert not page.exception
    assert made.asked[-1][1]["config"] == {"model_type": "opt", "num_hidden_layers": 2}
    assert "4 of 13 linear layers" in texts(page.markdown)
    other = open_page("models", **dict(page.query_params))
    assert alts(other) == alts(page)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), ('{"model_type": ', "is not JSON: line 1"), ("[1]", "must be a JSON object")],
)
def test_a_text_that_is_no_configuration_is_answered_by_a_sentence(open_page: Open, text: str, said: str) -> None:
    page = open_page("models", model="config.json")
    page.text_area(key="models.config_text").set_value(text).run()

    assert not page.exception
    assert said in texts(page.error)
    assert not alts(page)


def test_an_unknown_architecture_lists_its_layers_and_goes_on_with_a_pattern(open_page: Open) -> None:
    page = open_page("models", model="config.json", config=pack(VIT) or "")

    assert not page.exception
    assert "This model cannot be estimated" in texts(page.error)
    assert "12 × encoder.layer.\\*.output.dense" in texts(page.error), "a star is a star and no emphasis"
    assert list(page.dataframe[0].value["sizes"]) == ["768 → 3072", "3072 → 768"]
    assert page.multiselect(key="models.names").options == [
        "encoder.layer.*.intermediate.dense",
        "encoder.layer.*.output.dense",
    ]
    page.multiselect(key="models.names").select("encoder.layer.*.output.dense").run()
    assert not page.error
    assert page.query_params["names"] == "encoder.layer.*.output.dense"


@pytest.mark.parametrize(("field", "value"), [("batch", 0), ("sequence", -1), ("grain", 0)])
def test_wrong_numbers_are_answered_by_the_sentences_of_the_service(open_page: Open, field: str, value: int) -> None:
    page = open_page("models")
    page.number_input(key=f"models.{field}").set_value(value).run()

    assert not page.exception
    assert f"**{field}** must be" in texts(page.error)
    page.button(key="models.measure").click().run()
    assert "Not started" in texts(page.error)


def test_a_measurement_begins_and_its_figures_stand_beside_what_was_foretold(
    open_page: Open, made: MadeService
) -> None:
    page = open_page("models", passes="train_step,decode")
    page.button(key="models.measure").click().run()

    assert not page.exception
    assert made.job is not None
    assert page.query_params["job"] == JOB
    assert made.job["spec"]["passes"] == ["train_step", "decode"]
    assert "### IT n=4 trains 1.33 times as fast" in texts(page.markdown)
    whole, step, memory, parts, *_, amdahl = alts(page)
    assert "IT n=4 in the training step ▲ 1.30x faster (95 % 1.26x to 1.34x), predicted 1.38x, ceiling 2.63x" in whole
    assert "IT n=4 measured 1137 ms, predicted 1072 ms, -5.7 %" in step
    assert memory.startswith("Peak memory")
    assert "what is replaced 510 ms" in parts
    assert "measured 1.30x" in amdahl
    page.radio(key="models.view.pass").set_value("decode").run()
    assert "Time of the decode" in alts(page)[1]


def test_a_measurement_that_is_asked_for_while_the_estimate_is_still_made_is_shown(
    open_page: Open, made: MadeService
) -> None:
    """The first run never came to its end, so the address did not count as read: it was read again and the job forgotten."""
    with pytest.MonkeyPatch.context() as first:
        first.setattr(models_estimate, "estimate_view", lambda _: st.stop())
        page = open_page("models", model="opt-350m", n_blocks="4")
        assert not page.get("plotly_chart")

    page.button(key="models.measure").click().run()
    assert page.query_params["job"] == JOB
    assert page.multiselect(key="models.n_blocks").value == ["4"]
    assert "Every measured candidate" in texts(page.markdown)


def test_a_link_to_a_measurement_alone_fills_the_controls(open_page: Open, made: MadeService) -> None:
    made.job = made_job(THREE)
    page = open_page("models", job=JOB)

    assert not page.exception
    assert page.multiselect(key="models.passes").value == ["train_step", "prefill", "decode"]
    assert page.query_params["variants"] == "it,dt"
    assert "Earlier measurements (1)" in [expander.label for expander in page.expander]


def test_a_running_measurement_has_a_bar_first_figures_and_is_cancelled(open_page: Open, made: MadeService) -> None:
    candidates = made_run(THREE).to_dict()["candidates"]
    progress = {"stage": "timing", "fraction": 0.4, "message": "round 3", "elapsed_s": 12.0, "candidates": candidates}
    made.job = made_job(THREE, "running", progress=progress)
    page = open_page("models", job=JOB)

    assert not page.exception
    assert page.get("progress")[0].proto.text.startswith("**Timing in interleaved rounds**: round 3 · 12 s elapsed")
    assert "IT n=4 in the decode" in alts(page)[0]
    page.button(key="models.cancel").click().run()
    assert "The measurement was cancelled" in texts(page.info)


def test_a_candidate_with_a_wrong_result_gets_no_speed_and_says_so(open_page: Open, made: MadeService) -> None:
    job = made_job(ModelSpec("opt-125m"))
    wrong = job["result"]["candidates"][1]
    wrong |= dict.fromkeys(("median_ms", "q1_ms", "q3_ms", "speedup", "speedup_low", "speedup_high", "prediction"))
    wrong |= {"outcome": "incorrect", "detail": "its gradients differ by 3e-2", "deviation": None, "samples_ms": []}
    made.job = job
    page = open_page("models", job=JOB)

    assert not page.exception
    assert "IT n=4 in the training step ✗ wrong result, so no speed" in alts(page)[0]
    measured = next(frame.value for frame in page.dataframe if "detail" in frame.value)
    assert "its gradients differ" in measured["detail"][1]


def test_a_failed_measurement_says_why(open_page: Open, made: MadeService) -> None:
    made.job = made_job(THREE, "failed", error={"title": "Out of memory", "detail": "It needs 9 GiB, 2 GiB are there."})
    page = open_page("models", job=JOB)

    assert not page.exception
    assert "It needs 9 GiB, 2 GiB are there." in texts(page.error)
    assert alts(page), "the estimate stays"


def test_an_unknown_measurement_is_a_sentence(open_page: Open) -> None:
    page = open_page("models", job="0" * 32)

    assert not page.exception
    assert "cannot be shown" in texts(page.error)
    assert page.button(key="models.measure")


def test_a_measurement_of_another_machine_says_so(open_page: Open, made: MadeService) -> None:
    machine = {"name": "NVIDIA H100", "hostname": "box", "device": "cuda", "torch_version": "2.13.0"}
    made.job = made_job(ModelSpec("opt-125m", device="cuda", dtype="bfloat16"), origin="reference", machine=machine)
    page = open_page("models", job=JOB)

    assert not page.exception
    assert "bundled reference run, measured on NVIDIA H100 (box), torch 2.13.0" in texts(page.caption)
    assert page.selectbox(key="models.device").value == "cuda"
    assert not [toggle for toggle in page.toggle if toggle.label == "Log"], "its log is not here"
