from collections.abc import Iterator

import pytest
from clouds.azure import AzureCloud
from clouds.azure_client import AzureSite, azure_serving
from clouds.serving import WallClock


@pytest.fixture
def clock() -> WallClock:
    """What a cloud goes by, where a test makes it jump."""
    return WallClock()


@pytest.fixture
def site(cloud: AzureCloud) -> Iterator[AzureSite]:
    """Where a test's own Azure listens."""
    with azure_serving(cloud) as site:
        yield site
