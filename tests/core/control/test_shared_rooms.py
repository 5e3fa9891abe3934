"""Several policies over the same regions, from their files to what they answer: nobody counts a room as its own."""

from dataclasses import replace
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
    [
        ("unit: rps,", "", ""),
        ("", "", "unit: rps,"),
        ("unit: rps,", "", "unit: rps,"),
        ("unit: rps,", "unit: qps,", ""),
    ],
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


# -- who is left out because others do better --------------------------------------------------------------------------

PAIR = "{az: {capacity: 900}, oci: {capacity: 900}}"


def test_nobody_is_left_out_for_being_far_while_somebody_else_needs_that_room(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        f"""
        regions: {PAIR}
        policies:
          prod: {{tier: prod, demand: 800, latency: {{}}, regions: {{az: {{share: 50}}, oci: {{share: 50}}}}}}
          dev: {{tier: dev, demand: 500, regions: {{az: {{share: 100}}}}}}
        steps: [{{at: 10m, latency: {{az: 10ms, oci: 60ms}}, reasons: {{prod: [far_kept]}}}}]
        """,
    )
    assert loads(found) == {"az": 900.0, "oci": 400.0}


def test_nobody_is_left_out_for_being_degraded_while_somebody_else_needs_that_room(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        f"""
        regions: {PAIR}
        policies:
          prod: {{tier: prod, demand: 800, degraded: out, regions: {{az: {{share: 50}}, oci: {{share: 50}}}}}}
          dev: {{tier: dev, demand: 500, regions: {{oci: {{share: 100}}}}}}
        steps: [{{at: 10m, health: {{az: degraded 90%}}, reasons: {{prod: [degraded_kept]}}}}]
        """,
    )
    assert loads(found) == {"az": 400.0, "oci": 900.0}


def test_who_is_left_out_stays_out_until_somebody_lacks_that_room(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        f"""
        regions: {PAIR}
        policies:
          prod: {{tier: prod, demand: 800, latency: {{}}, regions: {{az: {{share: 50}}, oci: {{share: 50}}}}}}
          dev: {{tier: dev, demand: 100, regions: {{az: {{share: 100}}}}}}
        steps: [{{at: 10m, latency: {{az: 10ms, oci: 60ms}}, reasons: {{prod: [too_far]}}}}]
        """,
    )
    assert loads(found) == {"az": 900.0}
    policies = found.policies
    found.measure({**policies, "dev": replace(policies["dev"], demand=400.0)})
    assert loads(found) == {"az": 800.0, "oci": 400.0}


# -- what fits nowhere -------------------------------------------------------------------------------------------------


def test_a_region_that_is_named_as_the_place_gets_no_more_than_it_has_room_for(tmp_path: Path) -> None:
    spread = "regions: {az: {share: 50}, oci: {share: 30}, aws: {share: 20}}"
    found = example(
        tmp_path,
        f"""
        regions: {{az: {{capacity: 900}}, oci: {{capacity: 600}}, aws: {{capacity: 900}}}}
        policies:
          prod: {{tier: prod, demand: 800, {spread}}}
          pilot: {{tier: pilot, demand: 500, {spread}}}
          dev: {{tier: dev, demand: 400, shed_to: oci, {spread}}}
        steps: [{{at: 1m, health: {{az: down}}, reasons: {{dev: [excess]}}}}]
        """,
    )
    assert loads(found) == {"aws": 1_100.0, "oci": 600.0}, "as without a place: where it hurts higher tiers the least"


# -- somewhere else to go ----------------------------------------------------------------------------------------------


def test_who_has_somewhere_else_to_go_makes_room_for_one_of_its_tier_that_has_not(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        """
        regions: {az: {capacity: 900}, oci: {capacity: 300}}
        policies:
          a: {tier: pilot, demand: 400, regions: {az: {share: 10}, oci: {share: 50}}}
          b: {tier: pilot, demand: 500, regions: {oci: {share: 100}}}
        steps: [{at: 1m, shares: {a: {az: 100}, b: {oci: 100}}, reasons: {a: [shared_capacity]}}]
        """,
    )
    assert loads(found) == {"az": 400.0, "oci": 500.0}, "without that oci would have 620"


def test_a_standby_is_somewhere_else_to_go(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        """
        regions: {oci: {capacity: 600}, aws: {capacity: 900}}
        policies:
          api: {tier: prod, demand: 600, regions: {oci: {share: 100}, aws: {share: 0}}}
          batch: {tier: prod, demand: 300, regions: {oci: {share: 100}}}
        steps: [{at: 1m, shares: {api: {oci: 50, aws: 50}, batch: {oci: 100}}}]
        """,
    )
    assert loads(found) == {"aws": 300.0, "oci": 600.0}


def test_nobody_moves_for_the_sake_of_a_lower_tier(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        """
        regions: {oci: {capacity: 600}, aws: {capacity: 900}}
        policies:
          prod: {tier: prod, demand: 600, regions: {oci: {share: 100}, aws: {share: 0}}}
          dev: {tier: dev, demand: 300, regions: {oci: {share: 100}}}
        steps: [{at: 1m, shares: {prod: {oci: 100}, dev: {oci: 100}}, reasons: {dev: [excess]}}]
        """,
    )
    assert loads(found) == {"oci": 900.0}


def test_a_word_sheds_a_part_of_what_is_to_be_placed_and_not_of_what_stays_where_it_is(tmp_path: Path) -> None:
    found = example(
        tmp_path,
        """
        regions: {az: {}, oci: {}, gcp: {}, aws: {capacity: 100}}
        policies:
          prod: {tier: prod, demand: 400, regions: {az: {share: 50}, oci: {share: 50}, aws: {share: 0}}}
          dev: {tier: dev, demand: 50, regions: {aws: {share: 100}, gcp: {share: 0}}}
        steps:
          - {at: 1m, health: {az: unknown}, say: [{shed: {oci: 50%}, for: 1h}]}
          - {at: 2m, shares: {prod: {az: 50, oci: 25, aws: 25}, dev: {gcp: 100}}}
        """,
    )
    assert loads(found) == {"aws": 100.0, "az": 200.0, "gcp": 50.0, "oci": 100.0}
