"""What the service says of disturbances, and what the pages say of it."""

from frontend.logic.noise import disturbances, quiet_warnings

WARNINGS = ["forward: disturbed: other work kept 1.0 of 2 processors busy", "narrow blocks"]


def test_a_disturbance_is_said_of_its_pass_and_of_the_run() -> None:
    said = "Disturbed in forward: other work kept 1.0 of 2 processors busy"

    assert disturbances({"warnings": WARNINGS}) == disturbances({"warnings": WARNINGS}, "forward") == [said]
    assert disturbances({"warnings": WARNINGS}, "train_step") == []
    assert disturbances({"warnings": ["disturbed: by a neighbour"]}, "train_step") == ["Disturbed: by a neighbour"]
    assert disturbances({}) == []


def test_other_warnings_stay_warnings() -> None:
    assert quiet_warnings(WARNINGS) == ["narrow blocks"]
