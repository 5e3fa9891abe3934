"""The example files load as they are, and no mutilation of them makes loading raise."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.manual import ESTATES, REAL_KINDS, ROOT, SEVERAL_CLOUDS, Estate, examples, installed, several_clouds, tiers

from failoverd.config.loader import load_config, load_policies
from failoverd.config.test_files import is_test_file
from failoverd.core.records import Policy, RecordType, Steering, Weights


def loaded(path: Path) -> dict[str, Policy]:
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    return dict(load_policies(config, REAL_KINDS, running={}).policies)


def test_the_examples_load_without_a_word(tmp_path: Path) -> None:
    found = load_config(installed(tmp_path / "etc"), REAL_KINDS)
    assert found.diagnostics == ()
    assert found.config is not None
    policies = load_policies(found.config, REAL_KINDS, running={})
    assert policies.diagnostics == ()
    assert list(policies.policies) == ["console", "embeddings", "grpc-stream", "inference-api", "inference-llm"]


def test_the_examples_show_what_policies_can_be(tmp_path: Path) -> None:
    found = loaded(installed(tmp_path / "etc")).values()
    assert {record.key.type for policy in found for record in policy.records} == set(RecordType)
    assert {policy.steering for policy in found} == set(Steering)
    assert {policy.weights for policy in found} == set(Weights)
    assert {policy.failback_after is None for policy in found} == {True, False}


def test_the_example_with_several_clouds_loads_without_a_word() -> None:
    found = load_config(SEVERAL_CLOUDS / "failoverd.yaml", REAL_KINDS)
    assert found.diagnostics == ()
    assert found.config is not None
    policies = load_policies(found.config, REAL_KINDS, running={})
    assert policies.diagnostics == ()
    kinds = {name: provider.kind.name for name, provider in found.config.providers.items()}
    assert {
        name: {kinds[target.provider] for record in policy.records for target in record.targets}
        for name, policy in policies.policies.items()
    } == {
        "checkout": {"route53", "oci_steering"},
        "portal": {"azure_dns", "oci_dns"},
        "shop": {"azure_traffic_manager"},
    }


@pytest.mark.parametrize("path", [*examples(), *tiers(), *several_clouds()], ids=lambda path: str(path.name))
def test_an_example_names_a_schema_that_exists(path: Path) -> None:
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert found is not None
    assert (path.parent / found.group(1)).is_file()


@pytest.mark.parametrize("path", [*examples(), *tiers(), *several_clouds()], ids=lambda path: str(path.name))
def test_an_example_has_only_addresses_that_are_kept_for_documentation(path: Path) -> None:
    for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", path.read_text()):
        assert address.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "127.0.0.1"))


def test_every_folder_of_policies_is_among_those_that_are_mutilated() -> None:
    seen = {
        path.parent
        for place in ("policies", "examples", "kubernetes", "failoverd", "systemd", "packages", "bench")
        for path in (ROOT / place).rglob("regions.yaml")
    }
    assert seen == {estate.policies for estate in ESTATES.values()}


@pytest.mark.parametrize("name", ESTATES)
def test_every_folder_of_policies_loads_with_its_configuration(tmp_path: Path, name: str) -> None:
    found = loaded(ESTATES[name].installed(tmp_path / "etc"))
    policies = [file for file in ESTATES[name].files if not is_test_file(file)]
    assert len(found) == len(policies) - 2  # the configuration, and the inventory


# -- mutilation --------------------------------------------------------------------------------------------------------

FILES = {(name, file): file.read_text() for name, estate in sorted(ESTATES.items()) for file in estate.files}
PIECES = st.sampled_from(
    ["", "", *':-{}[]"#\t\n%0é', "&a ", "*a", "!x ", "null", "-1", ".inf", "9d", "400%", "on", "x: y\n"]
)


@st.composite
def mutilated(draw: st.DrawFn) -> tuple[Estate, Path, str]:
    """An example, and the text of one of its files in which some places were cut out or overwritten."""
    name, file = draw(st.sampled_from(sorted(FILES)))
    text = FILES[name, file]
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(PIECES) + text[start + draw(st.integers(0, 12)) :]
    return ESTATES[name], file, text


@given(mutilated())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutilated_example_is_loaded_or_rejected_and_leaves_the_others_alone(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[Estate, Path, str]
) -> None:
    estate, file, text = case
    config = estate.installed(tmp_path_factory.mktemp("mutilated") / "etc")
    running = loaded(config)
    assert running
    estate.place(file, config).write_text(text)
    reread = load_config(config, REAL_KINDS)
    assert (reread.config is not None) == (not any(found.is_error for found in reread.diagnostics))
    if reread.config is None:
        return
    found = load_policies(reread.config, REAL_KINDS, running=running)
    assert all(diagnostic.render() for diagnostic in found.diagnostics)
    if file != estate.config:  # other providers may make any policy unsound
        others = {policy for policy, was in running.items() if Path(was.source.file).name != file.name}
        assert others <= set(found.policies) | found.kept
