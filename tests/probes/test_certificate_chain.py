"""The whole chain that vouches for a server has to be valid for as long as the check says, not its last link alone."""

import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from support.probers import prober
from support.targets import answers, response, serve
from support.tls_servers import NAME, Chain, chain

from failoverd.core.probe_reasons import ProbeReason

SOON: Final = timedelta(days=2)
CHAINS: Final = {
    "leaf": chain(leaf=SOON),
    "intermediate": chain(intermediate=SOON),
    "root": chain(root=SOON),
    "none": chain(),
}
WHICH: Final = {
    "leaf": "the certificate expires in ",
    "intermediate": "certificate 2 of the 3 in its chain expires in ",
    "root": "certificate 3 of the 3 in its chain expires in ",
}
"""How many days are left is measured: the chains are made when the run begins, however long that lasts."""

KINDS: Final[dict[str, tuple[str, object, dict[str, object], bytes]]] = {
    "https": ("https", "/", {}, b""),
    "https, in steps": ("https", "/", {"matches": "ok"}, b"ok"),
    "tls": ("tls", 443, {}, b""),
    "metrics": ("metrics", "/", {"tls": True, "degraded": "depth > 5"}, b"depth 1\n"),
    "inference": ("inference", "/v1", {"tls": True, "model": "m"}, b'{"data": [{"id": "m"}]}'),
}


def trusting(shown: Chain, folder: Path) -> dict[str, object]:
    """Settings of a check that wants a week more."""
    (folder / "root.pem").write_bytes(shown.root)
    return {"host": NAME, "ca_file": str(folder / "root.pem"), "certificate_expires_within": "7d"}


@pytest.mark.parametrize("ends", CHAINS)
@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_of_the_chain_to_expire_is_what_counts(kind: str, ends: str, tmp_path: Path) -> None:
    """One that expired and that no client needs, which is shown as well, does not."""
    name, value, settings, body = KINDS[kind]
    check = prober(name, value, time.time, **settings, **trusting(CHAINS[ends], tmp_path))
    async with serve(answers(response("200 OK", body)), tls=CHAINS[ends].context()) as target:
        result = await check.probe(target.endpoint)
    expected = ProbeReason.OK if ends == "none" else ProbeReason.CERTIFICATE_EXPIRING
    assert result.reason is expected, result.detail
    assert WHICH.get(ends, "") in result.detail
    days = dict(result.measures)["certificate_days"]
    assert days == pytest.approx(300 if ends == "none" else 2, abs=0.1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_that_is_taken_up_again_keeps_its_chain(version: ssl.TLSVersion, tmp_path: Path) -> None:
    """A resumed handshake verifies nothing: without the chain of before, only the leaf would be seen."""
    context = CHAINS["intermediate"].context()
    context.minimum_version = context.maximum_version = version
    check = prober("https", "/", time.time, resume="10m", **trusting(CHAINS["intermediate"], tmp_path))
    async with serve(answers(response("200 OK")), tls=context) as target:
        results = [await check.probe(target.endpoint) for _ in range(3)]
    assert [result.reason for result in results] == [ProbeReason.CERTIFICATE_EXPIRING] * 3
    assert len({round(dict(result.measures)["certificate_days"], 2) for result in results}) == 1
