"""`failoverd run`: the daemon until it is told to stop."""

import sys
from pathlib import Path

import uvloop

from failoverd.app import Daemon
from failoverd.cli.failing import let_go, told
from failoverd.core.errors import ConfigError
from failoverd.core.events import Level
from failoverd.installed import read_config
from failoverd.runtime.garbage import Garbage
from failoverd.telemetry.logs import LogFormat, configure_logs


def run_daemon(config: Path) -> None:
    with told():
        if not config.exists():
            raise ConfigError(
                f"there is no configuration at {config}, so nothing runs and no traffic is moved",
                reason="config_missing",
                remedy="write one (failoverctl init), or name another with --config; then start it again",
            )
        settings = read_config(config)
        logs = configure_logs(LogFormat(settings.log.format), Level(settings.log.level), sys.stderr)
        try:
            with Garbage() as garbage:
                uvloop.run(Daemon(config, [logs.render, garbage.take]).run())
        finally:
            if not logs.close():  # nobody reads it: whoever says a last word there would never end
                let_go(sys.stderr)
