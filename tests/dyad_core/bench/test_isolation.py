"""Real processes: what they return, how they end, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dyad_core.bench import BenchmarkSpec, Progress, isolation, run_benchmark
from dyad_core.errors import BenchmarkCancelled, BenchmarkFailed, BenchmarkTimeout, Problem, SpecError

SMALL = BenchmarkSpec(48, 96, tokens=32, n_blocks=(4,), max_seconds=0.2)
# Long enough for whatever a test does to it.
LONG = BenchmarkSpec(768, 3072, tokens=4096, n_blocks=(4,), max_seconds=600.0)

Fake = Callable[[str], None]


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does: no process, no file, no pipe of its runs remains."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recording(*args: object, **settings: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **settings))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", recording)
    yield
    for process in started:
        assert process.returncode is not None  # reaped
        assert not group_alive(process.pid)
        assert process.stdin is None or process.stdin.closed
        assert process.stdout is None or process.stdout.closed
    assert list(tmp_path.iterdir()) == []


def group_alive(group: int) -> bool:
    """Whether a process of the group still runs a little later; a killed orphan may stay a zombie for its reaper."""
    end = time.monotonic() + 10
    while any(runs(int(entry.name), group) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        if time.monotonic() > end:
            return True
        time.sleep(0.02)
    return False


def runs(process: int, group: int | None = None) -> bool:
    """Whether a process (of the group) is there and no zombie."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in "ZX" and group in (None, int(fields[2]))


@pytest.fixture
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a few lines of Python in the worker's place; ``request`` is what it was sent."""

    def put(code: str) -> None:
        lines = f"import json, os, sys, time\nrequest = json.loads(sys.stdin.readline())\n{code}"
        monkeypatch.setattr(isolation, "COMMAND", (sys.executable, "-c", lines))

    return put


def test_a_run_comes_back_whole_with_progress() -> None:
    told: list[Progress] = []
    run = run_benchmark(SMALL, on_progress=told.append)
    assert run.spec == SMALL
    assert [each.label for each in run.candidates] == ["dense", "IT n=4"]
    assert all(each.has_speed for each in run.candidates)
    assert told[0].stage == "starting"
    assert told[-1].stage == "finished"
    elapsed = [progress.elapsed_s for progress in told]
    assert elapsed == sorted(elapsed)
    assert any(progress.candidates for progress in told[:-1])


def test_warnings_of_the_preflight_are_part_of_the_run() -> None:
    run = run_benchmark(BenchmarkSpec(48, 96, tokens=8, n_blocks=(2,), max_seconds=0.1))
    assert "saves nothing" in run.warnings[0]


def test_it_works_from_an_unguarded_script_and_a_thread(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import threading\nfrom dyad_core.bench import BenchmarkSpec, run_benchmark\n"
        "spec = BenchmarkSpec(48, 96, tokens=8, n_blocks=[4], max_seconds=0.1)\n"
        "thread = threading.Thread(target=lambda: print(run_benchmark(spec).candidates[1].label))\n"
        "thread.start(); thread.join()\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    script.unlink()
    assert done.stdout == "IT n=4\n", done.stderr


def test_a_wrong_request_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "COMMAND", ("/no/such/program",))
    with pytest.raises(SpecError, match="bytes"):
        run_benchmark(BenchmarkSpec(2**30, 2**30))


def test_cancelling_ends_the_process_within_two_seconds() -> None:
    cancel = threading.Event()
    moments: list[float] = []

    def stop(progress: Progress) -> None:
        if progress.stage == "warming_up" and not cancel.is_set():
            moments.append(time.monotonic())
            cancel.set()

    with pytest.raises(BenchmarkCancelled):
        run_benchmark(LONG, on_progress=stop, cancel=cancel)
    # The product promises two seconds to its users; this is a limit on waiting, not a speed.
    assert time.monotonic() - moments[0] < 2.0


def test_cancelled_before_the_start_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "COMMAND", ("/no/such/program",))
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(BenchmarkCancelled):
        run_benchmark(SMALL, cancel=cancel)


def test_a_silent_process_is_cancelled_too_with_all_its_children(fake_worker: Fake) -> None:
    fake_worker("if os.fork() == 0:\n    time.sleep(600)\ntime.sleep(600)")
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(BenchmarkCancelled):
        run_benchmark(SMALL, cancel=cancel)


def test_past_its_limit_it_is_killed(fake_worker: Fake) -> None:
    fake_worker("time.sleep(600)")
    with pytest.raises(BenchmarkTimeout, match=r"limit of 0\.5 s"):
        run_benchmark(SMALL, timeout_s=0.5)


def test_a_killed_process_is_reported_with_its_signal() -> None:
    def kill(progress: Progress) -> None:
        if progress.stage == "checking":
            (child,) = workers()
            os.kill(child, signal.SIGKILL)

    with pytest.raises(BenchmarkFailed, match="killed by SIGKILL, exit code -9") as caught:
        run_benchmark(LONG, on_progress=kill)
    assert caught.value.exit_code == -9


def workers() -> list[int]:
    """Measuring processes that this thread started; what other tests left running is none of ours."""
    started = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text(encoding="ascii").split()
    return [int(pid) for pid in started if b"dyad_core.bench.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_crash_brings_exit_code_and_last_error_lines(fake_worker: Fake) -> None:
    fake_worker("print('first', file=sys.stderr); print('the end', file=sys.stderr); sys.exit(3)")
    with pytest.raises(BenchmarkFailed) as caught:
        run_benchmark(SMALL)
    sentence, *tail = str(caught.value).splitlines()
    assert sentence == "the measuring process ended with exit code 3 before it had a result"
    assert tail == ["first", "the end"]
    assert (caught.value.exit_code, caught.value.stderr_tail) == (3, "first\nthe end")


def test_a_process_dead_at_once_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "COMMAND", (sys.executable, "-c", "import os; os._exit(9)"))
    with pytest.raises(BenchmarkFailed, match="exit code 9"):
        run_benchmark(SMALL)


def test_an_end_without_a_result_is_a_failure_even_with_exit_code_0(fake_worker: Fake) -> None:
    fake_worker("pass")
    with pytest.raises(BenchmarkFailed, match="exit code 0 before it had a result"):
        run_benchmark(SMALL)


def test_a_result_does_not_excuse_a_bad_exit(fake_worker: Fake) -> None:
    fake_worker("open(request['result_path'], 'w').write(json.dumps({'result': {}})); os._exit(4)")
    with pytest.raises(BenchmarkFailed, match="exit code 4"):
        run_benchmark(SMALL)


def test_wrong_fields_cross_the_process_boundary_whole(fake_worker: Fake) -> None:
    problem = Problem("tokens", "must be less", 5, "take 4")
    fake_worker(f"open(request['result_path'], 'w').write(json.dumps({{'problems': [{problem.to_dict()!r}]}}))")
    with pytest.raises(SpecError) as caught:
        run_benchmark(SMALL)
    assert caught.value.problems == (problem,)


def test_an_error_in_the_real_worker_reaches_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import dyad_core.bench.worker as worker\n"
        "def measure(*args, **settings):\n    print('stray'); raise RuntimeError('the ceiling fell')\n"
        "worker.measure = measure\nraise SystemExit(worker.main())"
    )
    monkeypatch.setattr(isolation, "COMMAND", (sys.executable, "-c", code))
    with pytest.raises(BenchmarkFailed, match="exit code 70 with RuntimeError: the ceiling fell") as caught:
        run_benchmark(SMALL)
    assert "Traceback" in caught.value.stderr_tail
    assert "Traceback" not in str(caught.value).splitlines()[0]


def test_stray_prints_do_not_pass_for_progress(fake_worker: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    progress = Progress("timing", 1, 2, 0.5, "half", 0.1).to_dict()
    fake_worker(
        'print(\'{"stage": "finished"}\', flush=True)\n'
        f"sys.stdout.write('no line feed' + chr(30) + json.dumps({progress!r}).replace('None', 'null') + chr(10))"
    )
    told: list[Progress] = []
    with pytest.raises(BenchmarkFailed):
        run_benchmark(SMALL, on_progress=told.append)
    assert [each.message for each in told] == ["starting the measuring process", "half"]
    assert "no line feed" in capfd.readouterr().err


def test_a_listener_that_raises_ends_the_process() -> None:
    def listener(progress: Progress) -> None:
        if progress.stage != "starting":
            raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_benchmark(LONG, on_progress=listener)


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.soak), signal.SIGINT])
def test_the_worker_goes_when_its_parent_goes(how: signal.Signals, tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from dyad_core.bench import BenchmarkSpec, run_benchmark\n"
        "run_benchmark(BenchmarkSpec(768, 3072, max_seconds=600.0), on_progress=lambda p: print(p.stage, flush=True))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"starting\n"
        assert parent.stdout.readline() == b"checking\n"
        (worker,) = map(int, Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text(encoding="utf-8").split())
        parent.send_signal(how)
        parent.wait(timeout=30)
    end = time.monotonic() + 30
    while (runs(worker) or list(tmp_path.iterdir())) and time.monotonic() < end:
        time.sleep(0.02)
    assert not runs(worker)


def test_the_parent_sleeps_while_it_waits(fake_worker: Fake) -> None:
    fake_worker("time.sleep(1.5)")
    before = time.process_time()
    with pytest.raises(BenchmarkFailed):
        run_benchmark(SMALL, cancel=threading.Event())
    # A parent that spins would use all of these 1.5 seconds.
    assert time.process_time() - before < 0.75
