"""A secret stays in its file: looked for in everything that a life of the daemon leaves behind."""

from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

from support.daemons import EAST, NAME, RunningDaemon, Site, provider_block, site
from support.servers import DnsServer

WRONG = b64encode(b"another secret, of another server").decode()


def forms(secret: str) -> list[bytes]:
    """The secret as somebody might write it down without thinking: base64, bytes, hex, Python's `repr`."""
    raw = b64decode(secret)
    text = secret.rstrip("=")
    return [text.encode(), raw, raw.hex().encode(), raw.hex().upper().encode(), repr(raw)[2:-1].encode()]


class Sweep:
    """Everything that was printed, logged and left on disk, by where it stands."""

    def __init__(self, here: Site, key: Path) -> None:
        self._here = here
        self._key = key
        self.found: dict[str, bytes] = {}

    async def control(self, *words: str) -> None:
        """Run failoverctl, for what it says."""
        _, printed = await self._here.control(*words)
        assert "Traceback" not in printed, printed
        self.found[f"failoverctl {' '.join(words)} ({len(self.found)})"] = printed.encode()

    def collect(self, daemon: RunningDaemon) -> None:
        """What stands in the log and in each file now."""
        self.found["log"] = bytes(daemon.log)
        for file in self._here.folder.rglob("*"):
            if file.is_file() and file != self._key:
                self.found[f"{file.name} ({len(self.found)})"] = file.read_bytes()

    def leaks(self, *secrets: str) -> list[str]:
        wanted = [form for secret in secrets for form in forms(secret)]
        return [place for place, content in self.found.items() if any(form in content for form in wanted)]


async def test_a_secret_is_nowhere_but_in_its_file(bind_server: DnsServer, tmp_path: Path) -> None:
    path, file = tmp_path / "tsig", tmp_path / "change.plan"
    key = replace(bind_server.key, bind_file=path)
    path.write_text(key.clause())
    async with site(tmp_path, {"main": provider_block("main", replace(bind_server, key=key))}) as here:
        sweep = Sweep(here, path)
        await sweep.control("plan", "--out", str(file))
        async with here.daemon() as daemon:
            await daemon.event("change.verified")
            path.write_text(replace(key, secret=WRONG).clause())
            await here.break_region("west")
            await daemon.event("target.delayed", reason="tsig_bad_signature")
            await sweep.control("apply", str(file))
            await sweep.control("status")

            path.write_text(f"not-base64:{key.secret}")
            await sweep.control("plan", "--output", "json")
            await sweep.control("status", "--output", "json")

            path.write_text(key.clause())
            await daemon.event("change.verified")
            assert bind_server.dig(NAME, "A") == [EAST]
            for verb in ("status", "why", "history"):
                await sweep.control(verb)
                await sweep.control(verb, "--output", "json")
            sweep.collect(daemon)
            await daemon.stop()
        sweep.collect(daemon)

    places = " ".join(sweep.found)
    assert all(place in places for place in ("log", "journal.db ", "journal.db-wal ", "change.plan ", "api.yaml "))
    assert b"west" in file.read_bytes()
    said = b"".join(sweep.found.values())
    assert all(reason in said for reason in (b"tsig_bad_signature", b"secret_invalid"))
    assert sweep.leaks(key.secret, WRONG) == []


def test_the_sweep_finds_a_secret_in_any_of_its_forms(tmp_path: Path) -> None:
    sweep = Sweep(Site(tmp_path, 1, {}), tmp_path / "tsig")
    for number, form in enumerate(forms(WRONG)):
        sweep.found[str(number)] = b"failed: " + form + b" (secret)"
    assert sweep.leaks(WRONG) == ["0", "1", "2", "3", "4"]
    assert sweep.leaks("c29tZXRoaW5nIGVsc2U=") == []
