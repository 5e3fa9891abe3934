"""Where the journal and the socket are, by the daemon's configuration, without judging the rest of that.

Who asks where everything stands at night is not to wait for, or to be kept away by, what has nothing to do with it.
"""

from pathlib import Path
from typing import Final

from failoverd.config.documents import read
from failoverd.config.tree import Place
from failoverd.core.errors import ConfigError

DEFAULT_JOURNAL: Final = "/var/lib/failoverd/journal.db"

RUNTIME_SOCKET: Final = "/run/failoverd/api.sock"
SOCKET_NAME: Final = "api.sock"


def journal_of(config: Path) -> Path:
    """The journal that this configuration file names.

    Raises:
        ConfigError: the file cannot be understood so far as to say.
    """
    return config.parent / (_said(config, ("journal",)) or DEFAULT_JOURNAL)


def socket_of(config: Path) -> Path:
    """The socket at which the daemon of this configuration file is heard. Raises as `journal_of` does."""
    named = _said(config, ("api", "socket"))
    return config.parent / named if named else usual_socket(journal_of(config))


def usual_socket(journal: Path) -> Path:
    """Where the socket is unless somebody says it: the same rule for the daemon and for who looks for it.

    What a service keeps while it runs belongs to /run; a journal of one's own has its socket beside it, so that two
    daemons of one machine never have the same.
    """
    return Path(RUNTIME_SOCKET) if str(journal) == DEFAULT_JOURNAL else journal.with_name(SOCKET_NAME)


def _said(config: Path, place: Place) -> str | None:
    parsed = read(config)
    named = parsed.document.find(place) if parsed.document is not None else None
    if parsed.document is not None and (named is None or isinstance(named, str)):
        return named
    wrong = f"{'.'.join(map(str, place))}: it should be text"
    found = "\n".join(diagnostic.render() for diagnostic in parsed.diagnostics) or wrong
    raise does_not_load(config, found)


def does_not_load(config: Path, found: str) -> ConfigError:
    """That the daemon's configuration does not, and what to do: where there is none, nothing can be corrected."""
    remedy = "correct the file; failoverctl check shows every error at once"
    try:
        config.stat()
    except FileNotFoundError:
        remedy = "name it with --config, or write one: failoverctl init"
    except OSError:
        pass  # it is there, or nobody may know: `found` says which
    return ConfigError(f"{config} does not load:\n{found}", reason="config_invalid", remedy=remedy)
