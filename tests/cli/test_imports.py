"""What a command imports: nothing that it does not need, for at night everybody waits for it."""

import subprocess
import sys

import pytest

SDKS = {"boto3", "botocore", "azure", "oci", "msal", "requests"}
HEAVY = {"pydantic", "dns", "apscheduler", "sqlite3", "rich", "ruamel", "structlog", "asyncio"}


def imported(statement: str) -> set[str]:
    """The top-level packages that are loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


def test_asking_for_help_imports_nothing_but_the_command_line() -> None:
    assert imported("import failoverd.cli.command_line") & (SDKS | HEAVY) == set()


def test_what_stops_everything_is_sent_before_anything_is_loaded_that_could_wait() -> None:
    said = "['pause', '--all', '--reason', 'a bad night', '--for', '1h', '--config', '/nowhere/failoverd.yaml']"
    found = imported(f"import failoverd.cli.operator as it; it.sent_ahead({said}).__enter__()")
    assert found & (SDKS | {"typer", "pydantic", "rich", "asyncio", "h11", "ssl"}) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "import failoverd.cli.verbs",
        "from failoverd.installed import kinds; [dict(kinds().probes), dict(kinds().providers)]",
        "import failoverd.cli.running",
    ],
)
def test_no_cloud_sdk_is_imported_before_a_provider_of_its_kind_is_opened(statement: str) -> None:
    assert imported(statement) & SDKS == set()


def test_what_is_asked_at_night_imports_nothing_that_probes_or_publishes() -> None:
    assert imported("import failoverd.cli.views.now") & (SDKS | {"dns", "apscheduler", "h2", "structlog"}) == set()


@pytest.mark.parametrize(
    ("statement", "unneeded"),
    [
        ("import failoverd.cli.daemon", HEAVY),
        ("import failoverd.cli.running", {"prometheus_client", "jsonpath", "h2"}),
        ("import failoverd.cli.checking", {"apscheduler", "prometheus_client", "structlog", "sqlite3", "dns", "h2"}),
        ("import failoverd.cli.verbs", {"prometheus_client", "structlog", "jsonpath", "h2"}),
        ("from failoverd.installed import kinds; kinds().probes['https']", {"jsonpath", "h2", "dns"}),
    ],
)
def test_a_command_waits_for_nothing_that_its_files_do_not_name(statement: str, unneeded: set[str]) -> None:
    assert imported(statement) & unneeded == set()
