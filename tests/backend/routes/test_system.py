"""What the service says about its machine and itself."""

from fastapi.testclient import TestClient


def test_devices_versions_and_queue_are_told_and_no_path(shared_client: TestClient, database: str) -> None:
    answer = shared_client.get("/api/v1/system")
    system = answer.json()

    assert {
        "devices", "cpu_name", "cpu_cores", "memory_total_bytes", "memory_available_bytes", "versions", "notes",
        "implementations", "queue", "database", "server_started_at",
    } <= set(system)  # fmt: skip
    cpu = system["devices"][0]
    assert (cpu["name"], cpu["kind"]) == ("cpu", "cpu")
    assert "float32" in cpu["dtypes"]
    assert {"eager", "reference"} <= {item["name"] for item in system["implementations"]}
    assert system["queue"] == {"running": None, "queued": 0}
    assert system["running_ids"] == []
    assert system["executor"] == "local"
    group = system["device_groups"][0]
    assert (group["kind"], group["total"], group["free"], len(group["places"])) == ("cpu", 1, 1, 1)
    assert system["database"] == database
    assert str(shared_client.app.state.settings.home) not in answer.text  # type: ignore[attr-defined]


def test_a_machine_without_a_gpu_says_so(shared_client: TestClient) -> None:
    system = shared_client.get("/api/v1/system").json()
    if len(system["devices"]) == 1:
        assert any("CUDA" in note for note in system["notes"])
    else:
        assert all(device["name"].startswith("cuda:") for device in system["devices"][1:])
