"""A secret of every kind that a configuration can name, and nothing that failoverd says has a part of one.

Each API repeats what it was asked, each file with a secret is spoilt once, a daemon crashes with a secret in its mouth.
"""

import base64
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from support.canaries import Canaries, Farm, farm, looks
from support.daemons import Site
from support.sweeping import Sweep

from failoverd.api.routes import ROUTES

pytestmark = pytest.mark.server

IN_THE_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "OCI_CLI_PASSPHRASE", "A_PASSWORD_OF_OTHERS")
PROVIDERS = ("bind", "power", "aws", "azure", "oci")
WORD = ("--reason", "work", "--for", "1h")

READING = (
    *((verb,) for verb in ("check", "status", "why", "history", "overrides", "plan")),
    *((verb, "--output", "json") for verb in ("check", "status", "why", "history", "overrides")),
    ("probe", "shop", "--output", "json"),
    ("notify", "test", "--output", "json"),
    ("schema", "api"),
)
WRITING = (
    ("drain", "west", *WORD),
    ("hold", "shop", *WORD),
    ("adopt", "shop", "www.azure.test"),
    ("import", "power", "power.test", "www.power.test"),
)
SPOILT = (("check",), ("plan",), ("probe", "shop"), ("notify", "test"))

CRASH = """
from pathlib import Path
import sys
from failoverd.app import Daemon
from failoverd.cli.daemon import main

async def fail(self, config):
    secrets = Path(config.file).parent / "secrets"
    raise ValueError(" ".join(path.read_text() for path in secrets.iterdir()))

Daemon._start = fail
main()
"""
"""A daemon with a defect: it ends by an exception that has every secret in its words."""


async def test_nothing_that_failoverd_says_has_a_part_of_a_secret(tmp_path: Path) -> None:
    with farm(tmp_path) as here:
        canaries, sweep, site = here.canaries, Sweep(here.folder / "ca.pem"), Site(tmp_path, 0, {})
        env = {name: canaries.hatch(name) for name in IN_THE_ENVIRONMENT}
        async with site.daemon(env=env) as daemon:
            delayed = (("target.delayed", {"provider": name}) for name in PROVIDERS)
            await daemon.each(*delayed, "region.failed", "notification.failed")
            for words in (*WRITING, *READING):
                await sweep.control(here.config, *words)
            await ask_the_api(here, sweep)
            here.spoil()
            daemon.signal(signal.SIGHUP)
            await daemon.until(lambda line: line["event"] in {"config.rejected", "api.failed"}, "what is spoilt")
            for words in SPOILT:
                await sweep.control(here.config, *words)
            sweep.collect(daemon, tmp_path)
            await daemon.stop()
            sweep.collect(daemon, tmp_path)
        here.config.write_text(f"{here.config.read_text()}log: {{format: terminal}}\n")
        async with site.daemon(sys.executable, "-c", CRASH, env=env) as daemon:
            assert await daemon.ended() == 1
        sweep.collect(daemon, tmp_path)

    assert canaries.escaped(sweep.said) == []
    assert_all_were_at_work(here, sweep)


async def ask_the_api(here: Farm, sweep: Sweep) -> None:
    """Every page, by somebody who may read it, by somebody who may not, and by one who shows another secret."""
    api = f"https://127.0.0.1:{here.ports['admin']}"
    secrets = here.canaries.secrets
    for route in ROUTES:
        if route.method == "GET":
            await sweep.ask(api + route.path.replace("{id}", "drain-1"), secrets["token"])
    for token in ("", secrets["azure"]):
        await sweep.ask(f"{api}/v1/status", token)
    await sweep.ask(f"http://127.0.0.1:{here.ports['metrics']}/metrics")


def assert_all_were_at_work(here: Farm, sweep: Sweep) -> None:
    """A test in which no secret is used finds none: those that are sent were, and what failed was told."""
    sent = ("powerdns", "azure", "aws_id", "aws_session", "slack", "routing", "webhook", "alertmanager", "basic",
            "header", "cookie", "llm", "exporter")  # fmt: skip
    heard = [
        name for name in sent if any(look.seen(here.heard) for look in looks(here.canaries.secrets[name]).values())
    ]
    assert heard == list(sent)
    everything = b"".join(sweep.said.values())
    for told in (
        b"its words are not shown",
        b"credentials_invalid",
        b"ValueError at ",
        b"token_unknown",
        b"failoverd_build_info",
    ):
        assert told in everything, told


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "a part of it": lambda secret: secret[5:-3],
    "base64": lambda secret: base64.b64encode(f"admin:{secret}:".encode()).decode(),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(f">>?{secret}".encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
    "a URL": lambda secret: quote(secret, safe=""),
    "reversed": lambda secret: secret[::-1],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_sweep_finds_a_secret_in_any_of_its_forms(form: Callable[[str], str]) -> None:
    canaries = Canaries()
    secret = canaries.keep("it", "c4n4ry/with+all?that=URLs&escape")
    assert canaries.escaped({"here": f"failed: {form(secret)} (secret)".encode(), "there": b"fine"})
    assert canaries.escaped({"here": b"failed: c4n4ry"}) == []
