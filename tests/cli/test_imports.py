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
    assert imported("import failoverd.cli.operator") & (SDKS | HEAVY) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "import failoverd.cli.verbs",
        "import failoverd.app; failoverd.app.kinds()",
        "import failoverd.cli.daemon",
    ],
)
def test_no_cloud_sdk_is_imported_before_a_provider_of_its_kind_is_opened(statement: str) -> None:
    assert imported(statement) & SDKS == set()


def test_what_is_asked_at_night_imports_nothing_that_probes_or_publishes() -> None:
    assert imported("import failoverd.cli.views.now") & (SDKS | {"dns", "apscheduler", "h2", "structlog"}) == set()
