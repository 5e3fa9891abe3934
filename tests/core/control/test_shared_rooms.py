"""Several policies over the same regions, from their files to what they answer: nobody counts a room as its own."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.decisions import Example


def example(folder: Path, said: str) -> Example:
    """The example with all of its steps played."""
    found = Example(folder, YAML(typ="safe").load(said))
    found.play()
    return found


def loads(found: Example) -> dict[str, float]:
    """What all policies together send to each region, or place."""
    total: dict[str, float] = {}
    for name, policy in found.policies.items():
        for region, share in found.shares(name).items():
            total[region] = total.get(region, 0.0) + share / 100 * (policy.demand or 0.0)
    return {region: round(load, 1) for region, load in sorted(total.items())}


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "batch", "az"),
    [("unit: rps,", "", ""), ("", "", "unit: rps,"), ("unit: rps,", "", "unit: rps,"), ("unit: rps,", "unit: qps,", "")],
    ids=["one policy", "the regions", "both", "two units in a region that says none"],
)
def test_a_region_has_one_capacity_whoever_says_what_it_counts(tmp_path: Path, api: str, batch: str, az: str) -> None:
    found = example(
        tmp_path,
        f"""
        regions: {{az: {{{az} capacity: 900}}, oci: {{{az} capacity: 600}}, aws: {{capacity: 900}}}}
        policies:
          api: {{tier: prod, {api} demand: 800, regions: {{az: {{share: 50}}, oci: {{share: 50}}}}}}
          batch: {{tier: dev, {batch} demand: 600, regions: {{az: {{share: 50}}, oci: {{share: 50}}}}}}
        steps: [{{at: 1m}}]
        """,
    )
    assert loads(found) == {"az": 800.0, "oci": 600.0}
