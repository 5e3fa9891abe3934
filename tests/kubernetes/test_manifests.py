"""The manifests: rendered by kubectl, valid to the letter, and as hard as the documentation says."""

import json
import re
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from support.commands import failoverctl
from support.kube_api import LEAST, Rule
from support.kustomize import KUBERNETES, Manifest, one, rendered

from failoverd import __version__

ROOT = KUBERNETES.parent
MEMBERS = "overlays/members"
FOLDERS = ["base", "overlays/example", "overlays/openshift", "overlays/prometheus", MEMBERS]
VERSIONS = ["1.30", "1.37"]
"""The oldest that the manifests are for, and the newest whose schemas the validator has."""

UNIT = (ROOT / "systemd" / "failoverd.service").read_text()


def every_manifest() -> list[Manifest]:
    """Of all folders; what stands in several of them counts once."""
    return list({json.dumps(each): each for folder in FOLDERS for each in rendered(folder)}.values())


def pod(folder: str) -> Manifest:
    found: Manifest = one(rendered(folder), workload(folder))["spec"]["template"]["spec"]
    return found


def workload(folder: str) -> str:
    return "StatefulSet" if folder == MEMBERS else "Deployment"


def containers(folder: str) -> list[Manifest]:
    spec = pod(folder)
    return [*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])]


# -- valid -------------------------------------------------------------------------------------------------------------


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}


class Selector(Strict):
    match_labels: dict[str, str] = Field(alias="matchLabels", min_length=1)


class ScrapeEndpoint(Strict):
    port: str
    path: str
    interval: str = Field(pattern=r"^\d+s$")
    scrape_timeout: str = Field(alias="scrapeTimeout", pattern=r"^\d+s$")


class ServiceMonitorSpec(Strict):
    selector: Selector
    endpoints: list[ScrapeEndpoint] = Field(min_length=1)


class ServiceMonitor(Strict):
    api_version: Literal["monitoring.coreos.com/v1"] = Field(alias="apiVersion")
    kind: Literal["ServiceMonitor"]
    metadata: Metadata
    spec: ServiceMonitorSpec


class PromRule(Strict):
    alert: str = ""
    record: str = ""
    expr: str = Field(min_length=1)
    wait: str = Field(default="0s", alias="for", pattern=r"^(\d+(ms|[smhdwy]))+$")
    keep_firing_for: str = Field(default="0s", pattern=r"^(\d+(ms|[smhdwy]))+$")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PromGroup(Strict):
    name: str
    interval: str = "30s"
    rules: list[PromRule] = Field(min_length=1)


class PrometheusRuleSpec(Strict):
    groups: list[PromGroup] = Field(min_length=1)


class PrometheusRule(Strict):
    api_version: Literal["monitoring.coreos.com/v1"] = Field(alias="apiVersion")
    kind: Literal["PrometheusRule"]
    metadata: Metadata
    spec: PrometheusRuleSpec


OPERATORS: dict[str, type[Strict]] = {"ServiceMonitor": ServiceMonitor, "PrometheusRule": PrometheusRule}
"""The Prometheus operator's own kinds, as far as they are used here: Kubernetes has no schema of them."""


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_key_and_every_value_is_of_its_type(version: str) -> None:
    for manifest in every_manifest():
        if manifest["kind"] in OPERATORS:
            OPERATORS[manifest["kind"]].model_validate(manifest)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
    assert {manifest["kind"] for manifest in every_manifest()} == {
        "ConfigMap", "Deployment", "Namespace", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget",
        "PrometheusRule", "Role", "RoleBinding", "Service", "ServiceAccount", "ServiceMonitor", "StatefulSet",
    }  # fmt: skip


def test_a_key_that_is_misspelt_would_be_found() -> None:
    spoilt = yaml.safe_load((KUBERNETES / "base" / "deployment.yaml").read_text())
    spoilt["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(spoilt, VERSIONS[0], strict=True)


def test_what_selects_finds_the_pod_and_names_its_port() -> None:
    manifests = rendered("overlays/prometheus")
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    service = one(manifests, "Service")
    selectors = [
        one(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        one(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(manifests, "NetworkPolicy", "failoverd-metrics")["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    monitor = one(manifests, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    ports = {each["name"]: each["containerPort"] for each in containers("overlays/prometheus")[0]["ports"]}
    named = {each["port"] for each in monitor["endpoints"]} | {each["name"] for each in service["spec"]["ports"]}
    assert named | {each["targetPort"] for each in service["spec"]["ports"]} == set(ports)


@pytest.mark.parametrize("folder", [each for each in FOLDERS[1:] if each != MEMBERS])
def test_everything_stands_in_the_one_namespace(folder: str) -> None:
    name = one(rendered(folder), "Namespace")["metadata"]["name"]
    spaces = {each["metadata"].get("namespace") for each in rendered(folder) if each["kind"] != "Namespace"}
    assert spaces == {name}


# -- hard --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_container_may_do_more_than_its_work(folder: str) -> None:
    for container in containers(folder):
        said = container["securityContext"]
        assert said["allowPrivilegeEscalation"] is False
        assert said["privileged"] is False
        assert said["readOnlyRootFilesystem"] is True
        assert said["runAsNonRoot"] is True
        assert said["capabilities"] == {"drop": ["ALL"]}
        assert said["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["resources"]["limits"].keys() == {"memory"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_pod_shares_nothing_with_its_node_and_gets_a_token_only_to_agree_with_others(folder: str) -> None:
    spec = pod(folder)
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is (folder == MEMBERS)
    assert one(rendered(folder), "ServiceAccount")["automountServiceAccountToken"] is False
    assert {next(iter(each.keys() - {"name"})) for each in spec["volumes"]} == {
        "configMap", "secret", "emptyDir", *(() if folder == MEMBERS else ("persistentVolumeClaim",)),
    }  # fmt: skip
    assert all("sizeLimit" in each["emptyDir"] for each in spec["volumes"] if "emptyDir" in each)


def test_openshift_may_choose_the_user() -> None:
    assert pod("overlays/openshift")["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
    assert pod("overlays/example")["securityContext"].keys() == {
        "runAsNonRoot", "seccompProfile", "runAsUser", "runAsGroup", "fsGroup",
    }  # fmt: skip


def test_the_namespace_takes_no_softer_pod() -> None:
    labels = one(rendered("overlays/example"), "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nobody_gets_in_but_who_reads_metrics() -> None:
    alone = [each["spec"] for each in rendered("overlays/example") if each["kind"] == "NetworkPolicy"]
    assert [(sorted(each["policyTypes"]), each.get("ingress") or []) for each in alone] == [(["Egress", "Ingress"], [])]
    watched = one(rendered("overlays/prometheus"), "NetworkPolicy", "failoverd-metrics")["spec"]
    assert [rule["ports"] for rule in watched["ingress"]] == [[{"protocol": "TCP", "port": "http"}]]
    assert all(rule["from"] for rule in watched["ingress"])


def test_what_goes_out_is_dns_and_https_and_not_to_the_node() -> None:
    dns, https = one(rendered("base"), "NetworkPolicy")["spec"]["egress"]
    assert {(each["protocol"], each["port"]) for each in dns["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert https["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "169.254.169.254/32" in [each for to in https["to"] for each in to["ipBlock"]["except"]]


# -- what is in it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_secret_is_kept_beside_the_manifests(folder: str) -> None:
    assert [each["kind"] for each in rendered(folder) if each["kind"] == "Secret"] == []
    for file in KUBERNETES.rglob("*"):
        if file.is_file():
            assert not re.search(r"secretGenerator|stringData|PRIVATE KEY|secret \"", file.read_text()), file


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_image_is_pinned_to_this_version(folder: str) -> None:
    for container in containers(folder):
        assert container["image"].rpartition(":")[2] == __version__
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_policies_keep_their_name_and_the_configuration_is_named_by_its_content() -> None:
    """So an edited policy is taken up by the daemon that runs, and an edited configuration brings a new one."""
    names = {each["metadata"]["name"] for each in rendered("overlays/example") if each["kind"] == "ConfigMap"}
    volumes = {each["name"]: each.get("configMap", {}).get("name") for each in pod("overlays/example")["volumes"]}
    assert names == {volumes["config"], volumes["policies"]}
    assert volumes["policies"] == "failoverd-policies"
    assert volumes["config"].startswith("failoverd-config-")
    assert not any("subPath" in mount for each in containers("overlays/example") for mount in each["volumeMounts"])


def test_the_files_of_the_example_are_well() -> None:
    example = KUBERNETES / "overlays" / "example"
    done = failoverctl("check", example / "estate" / "policies")
    assert done.code == 0, done.said


def test_the_configuration_of_the_example_says_where_the_pod_has_things() -> None:
    said = yaml.safe_load(one(rendered("overlays/example"), "ConfigMap", "failoverd-config")["data"]["failoverd.yaml"])
    (container,) = containers("overlays/example")
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert said["policies"] == mounts["policies"]
    assert Path(said["journal"]).parent == Path(mounts["journal"])
    assert said["metrics"]["listen"] == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    keys = [each["key"]["secret_file"] for each in said["providers"].values()]
    assert {str(Path(each).parent) for each in keys} == {mounts["secrets"]}
    file = f"{mounts['config']}/failoverd.yaml"
    assert container["command"][-1] == file
    assert {"name": "FAILOVERD_CONFIG", "value": file} in container["env"]


# -- several members ---------------------------------------------------------------------------------------------------


def of_members() -> Manifest:
    """The daemon's file."""
    said = one(rendered(MEMBERS), "ConfigMap", "failoverd-config")["data"]["failoverd.yaml"]
    found: Manifest = yaml.safe_load(said)
    return found


def test_a_member_is_the_pod_of_the_base_but_for_what_makes_it_one() -> None:
    member, alone = deepcopy(pod(MEMBERS)), deepcopy(pod("overlays/example"))
    for key in ("topologySpreadConstraints", "affinity", "automountServiceAccountToken"):
        member.pop(key)
    alone.pop("automountServiceAccountToken")
    (container,), (other,) = member["containers"], alone["containers"]
    who = {"name": "FAILOVERD_MEMBER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container["env"].remove(who)
    volumes = {each["name"]: each for each in alone["volumes"]}
    alone["volumes"].remove(volumes["journal"])
    for spec in (member, alone):
        (config,) = (each["configMap"] for each in spec["volumes"] if each["name"] == "config")
        config["name"] = config["name"].rpartition("-")[0]
    assert container == other
    assert member == alone


def test_each_member_is_a_pod_with_a_journal_of_its_own() -> None:
    manifests = rendered(MEMBERS)
    said = one(manifests, "StatefulSet")
    name, spec = said["metadata"]["name"], said["spec"]
    pods = [f"{name}-{number}" for number in range(spec["replicas"])]
    assert list(of_members()["coordination"]["members"]) == pods
    assert len(pods) % 2 == 1
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"] == one(rendered("base"), "PersistentVolumeClaim", "failoverd-journal")["spec"]
    assert claim["metadata"]["name"] in {each["name"] for each in containers(MEMBERS)[0]["volumeMounts"]}
    assert one(manifests, "Service", spec["serviceName"])["spec"]["clusterIP"] == "None"
    assert not {"Deployment", "PersistentVolumeClaim"} & {each["kind"] for each in manifests}


def test_members_may_write_where_they_agree_and_nowhere_else() -> None:
    manifests = rendered(MEMBERS)
    where = of_members()["coordination"]["kubernetes"]["namespace"]
    roles = [each for each in manifests if "Role" in each["kind"]]
    assert {(each["kind"], each["metadata"]["namespace"]) for each in roles} == {
        ("Role", where),
        ("RoleBinding", where),
    }
    binding = one(manifests, "RoleBinding", "failoverd-members")
    assert binding["roleRef"]["name"] == one(manifests, "Role", "failoverd-members")["metadata"]["name"]
    account = one(manifests, "ServiceAccount")["metadata"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    assert where != account["namespace"], "the policies are there"


def test_members_may_do_what_the_tests_of_the_engine_let_them_and_nothing_more() -> None:
    rules = {
        Rule(verb, resource, name)
        for each in one(rendered(MEMBERS), "Role", "failoverd-members")["rules"]
        for verb in each["verbs"]
        for resource in each["resources"]
        for name in each.get("resourceNames", [""])
    }
    assert rules == LEAST
    assert f"failoverd-{of_members()['owner']}" in {each.name for each in LEAST}


def test_members_are_replaced_one_after_the_other_and_the_next_when_the_last_one_votes() -> None:
    manifests = rendered(MEMBERS)
    said = one(manifests, "StatefulSet")["spec"]
    assert (said["updateStrategy"], said["podManagementPolicy"]) == ({"type": "RollingUpdate"}, "Parallel")
    assert said["minReadySeconds"] > int(of_members()["coordination"]["lease"].removesuffix("s"))
    budget = one(manifests, "PodDisruptionBudget")["spec"]
    assert said["replicas"] - budget["maxUnavailable"] > said["replicas"] / 2
    assert budget["selector"]["matchLabels"].items() <= said["template"]["metadata"]["labels"].items()


def test_no_pod_runs_where_members_agree() -> None:
    where = of_members()["coordination"]["kubernetes"]["namespace"]
    labels = one(rendered(MEMBERS), "Namespace", where)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_members_reach_the_api_server() -> None:
    ports = [
        port["port"]
        for each in rendered(MEMBERS)
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"]["egress"]
        for port in rule["ports"]
    ]
    assert {443, 6443} <= set(ports)


# -- one at a time, and how long it may take ---------------------------------------------------------------------------


def test_there_is_one_of_it_and_the_next_comes_when_it_is_gone() -> None:
    said = one(rendered("base"), "Deployment")["spec"]
    assert (said["replicas"], said["strategy"]) == (1, {"type": "Recreate"})
    assert one(rendered("base"), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_it_gets_as_long_to_end_as_under_systemd() -> None:
    (container,) = containers("base")
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)s$", UNIT, re.MULTILINE)
    before: int = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod("base")["terminationGracePeriodSeconds"] >= before + int(seconds)


def test_probes_ask_the_daemon_about_itself_and_are_as_patient_as_the_watchdog() -> None:
    (container,) = containers("base")
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: each["port"] for name, each in asked.items()} == dict.fromkeys(asked, "http")
    assert [each["path"] for each in asked.values()] == ["/livez", "/livez", "/readyz"]
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)s$", UNIT, re.MULTILINE)
    alive = container["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] >= int(seconds)


# -- the rules of Prometheus -------------------------------------------------------------------------------------------

RULES = ROOT / "monitoring" / "failoverd.rules.yaml"


def made(rules: Path) -> str:
    done = subprocess.run([KUBERNETES / "make-rules", rules], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_rules_become_a_prometheus_rule_word_for_word(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "# told about\n\ngroups:\n  - name: failoverd\n    rules:\n      - alert: Gone\n        expr: |\n"
        '          up == 0\n\n          or absent(up)\n        annotations: {summary: "{{ $labels.policy }}: # gone"}\n'
    )
    found: Any = yaml.safe_load(made(rules))
    assert found["spec"] == yaml.safe_load(rules.read_text())
    PrometheusRule.model_validate(found)


def test_the_rules_of_the_cluster_are_those_of_monitoring() -> None:
    assert (KUBERNETES / "prometheus" / "prometheusrule.yaml").read_text() == made(RULES), "make rules"
