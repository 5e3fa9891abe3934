"""Where the journal is, by the daemon's configuration, without judging the rest of that.

Who asks where everything stands at night is not to wait for, or to be kept away by, what has nothing to do with it.
"""

from pathlib import Path
from typing import Final

from failoverd.config.documents import read
from failoverd.core.errors import ConfigError

DEFAULT_JOURNAL: Final = "/var/lib/failoverd/journal.db"


def journal_of(config: Path) -> Path:
    """The journal that this configuration file names.

    Raises:
        ConfigError: the file cannot be understood so far as to say.
    """
    parsed = read(config)
    named = parsed.document.find(("journal",)) if parsed.document is not None else None
    if parsed.document is not None and (named is None or isinstance(named, str)):
        return config.parent / (named or DEFAULT_JOURNAL)
    found = "\n".join(diagnostic.render() for diagnostic in parsed.diagnostics) or "journal: it should be text"
    raise ConfigError(
        f"{config} does not load:\n{found}",
        reason="config_invalid",
        remedy="correct the file; failoverctl check shows every error at once",
    )
