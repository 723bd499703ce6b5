"""Every address of the interface has a scope, and what is not named needs the larger one."""

from backend.app import create_app
from backend.security.scopes import READING_POSTS, Scope, needed, satisfies
from backend.settings import Settings


def operations() -> dict[tuple[str, str], Scope | None]:
    paths = create_app(Settings()).openapi()["paths"]
    return {
        (method.upper(), path): needed(method.upper(), path) for path, methods in paths.items() for method in methods
    }


def test_health_is_open_and_nothing_else_that_is_documented() -> None:
    assert {path for (_, path), scope in operations().items() if scope is None} == {"/healthz", "/readyz"}


def test_looking_needs_read_and_metrics_is_looking() -> None:
    found = {
        scope
        for (method, path), scope in operations().items()
        if method == "GET" and path not in ("/healthz", "/readyz")
    }
    assert found == {Scope.READ}
    assert needed("GET", "/metrics") is Scope.READ
    assert needed("HEAD", "/api/v1/jobs") is Scope.READ


def test_what_changes_something_needs_run_and_only_pure_computations_do_not() -> None:
    reading = {path for (method, path), scope in operations().items() if method == "POST" and scope is Scope.READ}
    assert reading == READING_POSTS & {path for _, path in operations()}
    assert reading >= {"/api/v1/structure/pattern", "/api/v1/verdicts"}
    for method, path in operations():
        if method == "DELETE" or path.endswith(
            ("/cancel", "/import", "/projection", "/uploads", "/sweeps", "/benchmarks")
        ):
            assert method == "GET" or needed(method, path) is Scope.RUN


def test_what_nobody_thought_of_needs_run() -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "BREW"):
        assert needed(method, "/api/v1/to/come") is Scope.RUN
    assert needed("POST", "/api/v1/verdicts/") is Scope.RUN
    assert needed("GET", "/healthz/") is Scope.READ


def test_run_includes_read_and_not_the_other_way() -> None:
    assert satisfies(Scope.RUN, Scope.READ)
    assert satisfies(Scope.RUN, Scope.RUN)
    assert satisfies(Scope.READ, Scope.READ)
    assert not satisfies(Scope.READ, Scope.RUN)
