"""A change as a command for a person, who has the key's file and nsupdate(1), and no failoverd."""

import shlex

from failoverd.providers.dnsupdate.change import Change
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.dnsupdate.settings import TsigSettings
from failoverd.settings import ServerAddress


def nsupdate(server: ServerAddress, key: TsigSettings, file: KeyFile, change: Change, comment: str = "") -> str:
    """An nsupdate command for bash. It reads the secret from its file: none is printed, or seen in `ps`."""
    return (
        f"nsupdate -v -k {_key_argument(key, file)} <<'END'\n"
        f"server {server.address} {server.port}\n"
        f"{comment}{change.script()}\n"
        "END"
    )


def _key_argument(key: TsigSettings, file: KeyFile) -> str:
    path = shlex.quote(str(file.path))
    if file.is_bind_clause():
        return path
    clause = f'key "{key.name}" {{ algorithm {key.algorithm}; secret "%s"; }};\\n'
    return f"<(printf {shlex.quote(clause)} \"$(tr -d '[:space:]' < {path})\")"
