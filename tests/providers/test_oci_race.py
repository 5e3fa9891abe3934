"""Two writers that read the same generation, over and over: OCI lets one of them write."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.oci_site import LocalOci, local_oci
from support.races import races

from failoverd.ports import ProviderKind
from failoverd.providers import oci_dns, oci_steering


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalOci]:
    with local_oci(tmp_path, monkeypatch) as local:
        yield local


@pytest.mark.parametrize("kind", [oci_dns.KIND, oci_steering.KIND], ids=lambda kind: kind.name)
async def test_in_many_races_one_writer_wins_and_no_older_generation_ever_does(
    local: LocalOci, name: str, kind: ProviderKind
) -> None:
    await races(lambda: local.open(kind), name)
