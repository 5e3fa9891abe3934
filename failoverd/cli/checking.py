"""`failoverctl check` and `schema`: what is wrong with the files, all of it at once, and what they may say."""

from pathlib import Path
from typing import Any

from failoverd.app import kinds, unfit
from failoverd.cli.failing import print_json, print_text
from failoverd.cli.options import Exit, FileKind, Output
from failoverd.cli.screen import shown
from failoverd.config.jsonschema import config_schema, inventory_schema, policy_schema
from failoverd.config.loader import load_config, load_policies


def json_schema(kind: FileKind) -> dict[str, Any]:
    """The JSON Schema of a kind of file."""
    match kind:
        case FileKind.POLICY:
            return policy_schema(kinds())
        case FileKind.REGIONS:
            return inventory_schema()
        case FileKind.CONFIG:
            return config_schema(kinds())


def check_files(config: Path, output: Output, *, on_site: bool = False) -> Exit:
    """Load everything as the daemon would, without opening a connection, and print every diagnostic.

    `on_site`: this is where the daemon is to run, so that what it needs of the machine is looked at, too.
    """
    loaded = load_config(config, kinds())
    diagnostics = list(loaded.diagnostics)
    policies: list[str] = []
    missing: list[str] = []
    if loaded.config is not None:
        found = load_policies(loaded.config, kinds(), running={})
        diagnostics.extend(found.diagnostics)
        unable = list(unfit(loaded.config, found.policies.values())) if on_site else []
        missing = [f"error: {error.detail} ({error.reason})\n  {error.remedy}\n" for _, error in unable]
        policies = sorted(set(found.policies) - {owner for owner, _ in unable})
    failed = bool(missing) or any(diagnostic.is_error for diagnostic in diagnostics)
    if output is Output.JSON:
        plain = [diagnostic.plain() for diagnostic in diagnostics]
        print_json({"ok": not failed, "policies": policies, "diagnostics": plain})
    else:
        said = [*(diagnostic.render() + "\n" for diagnostic in diagnostics), *missing]
        verdict = _verdict(policies, len(said), failed=failed)
        print_text(shown("".join([*said, verdict]), lines=True))
    return Exit.FAILED if failed else Exit.FINE


def _verdict(policies: list[str], found: int, *, failed: bool) -> str:
    if failed:
        return f"{found} problems; {len(policies)} policies are sound: {', '.join(policies) or 'none'}\n"
    return f"fine: {len(policies)} policies: {', '.join(policies) or 'none'}\n"
