"""docs/install-kubernetes.md keeps its word: what needs no cluster is run, what is run within the pod is run in one.

Blocks of `sh cluster` need a cluster. Of these the parts behind `exec … --` run in a pod of the manifests, on this
machine, and the rest is held against the manifests.
"""

import re
import shlex
import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml
from support.commands import failoverctl
from support.kubelet import ANYBODY, deployed
from support.kustomize import KUBERNETES, one, rendered
from support.servers import DnsServer

from failoverd.coordination.kubernetes.config_maps import Namespaced

ROOT = KUBERNETES.parent
PAGE = (ROOT / "docs" / "install-kubernetes.md").read_text()
WITHIN = ["kubectl", "-n", "failoverd", "exec", "deploy/failoverd", "--"]


def commands(kind: str) -> list[list[str]]:
    blocks = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def within_the_pod() -> list[list[str]]:
    """The words of each, without where their output goes."""
    found = (words[len(WITHIN) :] for words in commands("sh cluster") if words[: len(WITHIN)] == WITHIN)
    return [words[: words.index(">")] if ">" in words else words for words in found]


def of_the_cluster() -> list[list[str]]:
    return [words for words in commands("sh cluster") if words[: len(WITHIN)] != WITHIN]


def test_what_needs_no_cluster_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ran = set()
    for program, *words in commands("sh"):
        if program == "failoverctl":
            done = failoverctl(*words)
            assert done.code == 0, done.said
        else:
            assert (program, words[0]) == ("kubectl", "kustomize")
            assert rendered(words[1].removeprefix("kubernetes/"))
        ran.add((program, words[0]))
    assert ran == {("failoverctl", "check"), ("kubectl", "kustomize")}


def test_what_needs_a_cluster_names_what_the_manifests_have() -> None:
    manifests = rendered("overlays/example")
    namespace = one(manifests, "Namespace")["metadata"]["name"]
    for words in of_the_cluster():
        assert words[0] == "kubectl", words
        if "-k" in words:
            assert rendered(words[-1].removeprefix("kubernetes/")), words
        elif "-f" in words:
            assert (ROOT / words[-1]).is_file(), words
        else:
            assert words[1:3] == ["-n", namespace], words
            assert "deploy/failoverd" in words or "secret" in words, words
    ports = [
        str(port["containerPort"])
        for port in one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]
    ]
    assert [words[-1] for words in of_the_cluster() if "port-forward" in words] == ports


def test_what_several_members_are_asked_names_what_their_manifests_have() -> None:
    manifests = rendered("overlays/members")
    spaces = {each["metadata"]["name"] for each in manifests if each["kind"] == "Namespace"}
    (config,) = (each for each in manifests if "failoverd.yaml" in each.get("data", {}))
    said = yaml.safe_load(config["data"]["failoverd.yaml"])
    installation = Namespaced(said["owner"])
    for words in commands("sh members"):
        assert words[0] == "kubectl", words
        if "kubernetes/overlays/members" in words:
            continue
        assert words[1] == "-n", words
        assert words[2] in spaces, words
        match words[3:]:
            case ["rollout", "status", name]:
                assert name == f"statefulset/{one(manifests, 'StatefulSet')['metadata']['name']}"
            case ["get", "lease", name]:
                assert (name, words[2]) == (installation.name, said["coordination"]["kubernetes"]["namespace"])
            case ["exec", name, "--", "failoverctl", "members"]:
                assert name in said["coordination"]["members"]
            case ["get", "configmaps", "-l", label, *_]:
                labels = installation.value("members/failoverd-0", b"", "failoverd-0")["metadata"]["labels"]
                assert label in {f"{key}={value}" for key, value in labels.items()}
            case other:
                raise AssertionError(other)


def test_the_secret_that_is_made_is_the_one_that_the_pod_waits_for(tmp_path: Path) -> None:
    (words,) = [words for words in of_the_cluster() if "secret" in words]
    (tmp_path / "tsig.key").write_text("a key")
    done = subprocess.run(
        [*words, "--dry-run=client", "--output=yaml"], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    made = yaml.safe_load(done.stdout)
    volumes = one(rendered("overlays/example"), "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert made["metadata"]["name"] in [each["secret"]["secretName"] for each in volumes if "secret" in each]
    config = one(rendered("overlays/example"), "ConfigMap", "failoverd-config")["data"]["failoverd.yaml"]
    assert {f"/etc/failoverd/secrets/{name}" for name in made["data"]} == set(
        re.findall(r"/etc/failoverd/secrets/[\w.]+", config)
    )


async def test_what_is_run_within_the_pod_runs(bind_server: DnsServer, tmp_path: Path) -> None:
    async with deployed(tmp_path, bind_server) as kubelet, kubelet.pod.daemon() as daemon:
        await daemon.event("change.verified", provider="main")
        for words in within_the_pod():
            code, printed = await kubelet.pod.exec(*("api" if word == "shop" else word for word in words))
            assert code in ({0, 3} if "status" in words else {0}), (words, printed)
        given = await daemon.event("override.given")
        assert given["actor"].startswith(f"uid:{ANYBODY}@"), "everybody is the pod's user there"
        (copy,) = kubelet.pod.volume("tmp").glob("journal.db")
        with sqlite3.connect(copy) as journal:
            assert journal.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert journal.execute("SELECT count(*) FROM events").fetchone()[0] > 0
        assert await daemon.stop() == 0
