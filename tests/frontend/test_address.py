"""Controls and address: a link is followed, an address that is late is not."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from frontend.sections import address

    def held() -> dict[str, str]:
        return {"n": str(st.session_state.get("n", 4))}

    address.follow("test", ("n",), lambda asked: st.session_state.update(n=int(asked["n"])), held)
    st.session_state.setdefault("n", 4)
    st.number_input("n", step=1, key="n")
    address.publish("test", ("n",), held())


def test_a_link_is_followed_first_and_later() -> None:
    page = AppTest.from_function(script)
    page.query_params["n"] = "8"
    assert page.run().number_input(key="n").value == 8

    page.query_params["n"] = "12"  # the browser's Back, or a link to the open page
    assert page.run().number_input(key="n").value == 12


def test_a_change_that_comes_with_an_address_from_before_the_last_one_is_kept() -> None:
    """Two quick changes: the second arrived with the address from before the first, which then undid the first."""
    page = AppTest.from_function(script).run()
    page.number_input(key="n").set_value(8).run()
    assert page.query_params["n"] == "8"

    page.query_params["n"] = "4"
    page.number_input(key="n").set_value(16).run()
    assert page.number_input(key="n").value == 16
    assert page.query_params["n"] == "16"

    page.query_params["n"] = "8"  # still on its way, and nothing else changed
    assert page.run().number_input(key="n").value == 16
