"""Tests of policies as people write them, played: a folder with an inventory, a policy or two, and their tests."""

from pathlib import Path

from support.manual import REAL_KINDS

from failoverd.config.test_files import PolicyTest, TestSet, load_tests
from failoverd.simulation.rehearsal import Site
from failoverd.simulation.trial import TrialResult, play, site_of

REGIONS = """\
version: 1
regions:
  azure-weu: {cloud: azure, capacity: 900, jurisdiction: EU}
  oci-fra: {cloud: oci, capacity: 600, jurisdiction: EU}
  aws-use1: {cloud: aws, capacity: 900, jurisdiction: US}
"""

POLICY = """\
version: 1
policy: shop
owner: team-shop
runbook: https://runbooks.example.com/shop
tier: prod
records:
  - {name: shop.example.com, type: A, ttl: 30s, providers: [dns]}
regions:
  azure-weu: {share: 70, endpoints: [192.0.2.10]}
  oci-fra: {share: 30, endpoints: [198.51.100.10]}
  aws-use1: {share: 0, endpoints: [203.0.113.10]}
checks:
  live: {http: /health, host: shop.example.com, every: 5s, timeout: 2s}
demand: 800
failback: {after: 5m}
"""


def folder(path: Path, tests: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str) -> Path:
    """A folder of policies, of which `tests` are beside the first."""
    texts = {"regions.yaml": regions, "shop.yaml": policy, **{f"{name}.yaml": text for name, text in others.items()}}
    texts["shop.test.yaml"] = tests
    for name, text in texts.items():
        (path / name).write_text(text)
    return path


def loaded(path: Path) -> TestSet:
    return load_tests([path], REAL_KINDS)


def one_test(
    path: Path, said: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str
) -> tuple[PolicyTest, Site]:
    """One test of the policy `shop`, and the files that it is about; `said` is all of it but its name."""
    lines = "".join(f"    {line}\n" for line in said.strip("\n").splitlines())
    text = f"version: 1\ntests:\n  - name: it\n    policy: shop\n{lines}"
    found = loaded(folder(path, text, policy=policy, regions=regions, **others))
    assert not [each.render() for each in found.diagnostics if each.is_error]
    (estate,) = found.estates
    (test,) = estate.tests
    return test, site_of(estate.found)


def played(path: Path, said: str, *, policy: str = POLICY, regions: str = REGIONS, **others: str) -> TrialResult:
    """What comes of it."""
    return play(*one_test(path, said, policy=policy, regions=regions, **others))


def apart(verdict: TrialResult) -> list[str]:
    """What is not as the test says, a line each; or why it could not be played."""
    return (
        [verdict.error]
        if verdict.error
        else [f"{each.key}: {each.expected} / {each.found}" for each in verdict.differences]
    )
