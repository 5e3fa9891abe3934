"""People are told of what needs them, and that it is over: one module for each kind of receiver.

`troubles.py` says what is told, as data made from events; `ledger.py` knows what lasts; `outbox.py` delivers to one
address, again and again if need be; `posting.py` is the way out; `notifier.py` puts them together for the daemon.

Slack is spoken to without its own library: an incoming webhook is one POST of one JSON object, and the library's client
for it follows redirects, which would take the URL's secret elsewhere, and reads answers of any length.
"""

from collections.abc import Mapping
from types import ModuleType

from failoverd.ports import ReceiverKind
from failoverd.registry import Registry

_MODULES = {
    "alertmanager": "failoverd.telemetry.notifications.alertmanager",
    "pagerduty": "failoverd.telemetry.notifications.pagerduty",
    "slack": "failoverd.telemetry.notifications.slack",
    "webhook": "failoverd.telemetry.notifications.webhook",
}
"""Kind to module. Adding a receiver is one module that exports `KIND`, and one line here."""


def kinds() -> Mapping[str, ReceiverKind]:
    """Every kind of receiver by name. A module is imported when its kind is asked for."""
    return Registry(_MODULES, _kind)


def _kind(module: ModuleType, _: str) -> ReceiverKind:
    found: ReceiverKind = module.KIND
    return found
