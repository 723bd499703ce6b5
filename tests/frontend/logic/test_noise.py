"""What the service says of disturbances, and what the pages say of it."""

from frontend.logic.noise import disturbances, noise_records, noise_sentence, quiet_warnings

WARNINGS = ["forward: disturbed: other work kept 1.0 of 2 processors busy", "narrow blocks"]


def test_a_disturbance_is_said_of_its_pass_and_of_the_run() -> None:
    said = "Disturbed in forward: other work kept 1.0 of 2 processors busy"

    assert disturbances({"warnings": WARNINGS}) == disturbances({"warnings": WARNINGS}, "forward") == [said]
    assert disturbances({"warnings": WARNINGS}, "train_step") == []
    assert disturbances({"warnings": ["disturbed: by a neighbour"]}, "train_step") == ["Disturbed: by a neighbour"]
    assert disturbances({}) == []


def test_other_warnings_stay_warnings() -> None:
    assert quiet_warnings(WARNINGS) == ["narrow blocks"]


def test_readings_are_a_table_without_empty_columns() -> None:
    reading = {"at_s": 0.1, "load_average_1min": 0.5, "others_share": 0.25, "cpu_mhz": None, "gpu": None}
    noise = {"processors": 2, "before": reading, "during": [reading], "after": reading, "others_share": 0.3}

    records = noise_records(noise)
    assert [record["when"] for record in records] == ["before", "during", "after"]
    assert records[0]["taken by others (%)"] == 25
    assert "clock (MHz)" not in records[0]
    assert noise_sentence(noise) == "Other work kept 30 % of 2 processors busy from before to after"
    assert noise_records(None) == []
    assert noise_sentence({"processors": 2, "others_share": None}) == ""
