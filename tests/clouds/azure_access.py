"""What stands between a token and a resource: roles, locks and rations, as the resource manager keeps them."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from clouds.azure_rest import NAMESPACE, ArmError, Ask, seconds
from clouds.azure_tokens import Token
from clouds.serving import Bucket

SPELLED = {"dnszones": "dnsZones", "trafficmanagerprofiles": "trafficManagerProfiles"}
VERBS = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}


@dataclass(frozen=True)
class Role:
    """A role assignment: these actions, with `*` for any characters, in this scope and below it."""

    actions: tuple[str, ...]
    scope: str
    client_id: str | None = None  # anybody's, when None

    def allows(self, action: str, scope: str, token: Token) -> bool:
        return (
            self.client_id in {None, token.client_id}
            and below(scope, self.scope)
            and any(fnmatchcase(action.lower(), each.lower()) for each in self.actions)
        )


@dataclass(frozen=True)
class Lock:
    """A management lock. `level`: CanNotDelete or ReadOnly."""

    scope: str
    level: str = "CanNotDelete"

    def stops(self, method: str, scope: str) -> bool:
        return below(scope, self.scope) and (method == "DELETE" or (method != "GET" and self.level == "ReadOnly"))


@dataclass(frozen=True)
class Rations:
    """Token buckets of a subscription and principal, as (a second, at once). (Resource Manager, request limits)"""

    reads: tuple[float, float] = (25, 250)
    writes: tuple[float, float] = (10, 200)
    deletes: tuple[float, float] = (10, 200)


class Meter:
    """Spends the rations of each principal; without rations it lets everything pass."""

    def __init__(self, rations: Rations | None, clock: Callable[[], float]) -> None:
        self._rations = rations
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def take(self, method: str, token: Token) -> dict[str, str]:
        """The headers that tell how much is left; raises 429."""
        if self._rations is None:
            return {}
        kind = {"GET": "reads", "DELETE": "deletes"}.get(method, "writes")
        rate, burst = getattr(self._rations, kind)
        bucket = self._buckets.setdefault((token.object_id, kind), Bucket(rate, burst, self._clock))
        if not bucket.take():
            raise throttled((1.0 - bucket.left) / rate)
        return {f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(bucket.left))}


def throttled(retry_after: float | None) -> ArmError:
    """How the resource manager says "too many requests"."""
    headers = {"retry-after": seconds(retry_after)} if retry_after is not None else {}
    return ArmError(429, "SubscriptionRequestsThrottled", "The requests of the subscription are throttled.", headers)


def below(scope: str, of: str) -> bool:
    """Whether a scope is another one or lies in it."""
    return f"{scope}/".lower().startswith(f"{of.rstrip('/')}/".lower())


def action_of(ask: Ask) -> str:
    """The action that a role has to allow: `Microsoft.Network/dnsZones/A/write`."""
    first, *rest = ask.types
    inner = [each.upper() if len(each) <= 5 and each != "all" else each for each in rest]  # record types: A, CNAME
    return "/".join([NAMESPACE, SPELLED[first], *inner, VERBS[ask.method]])


def scope_of(ask: Ask) -> str:
    """What a request touches: a resource, or what a list is taken of."""
    scope = f"/subscriptions/{ask.subscription}"
    scope += f"/resourceGroups/{ask.group}" if ask.group is not None else ""
    if not ask.names:
        return scope
    pairs = zip((SPELLED[ask.types[0]], *ask.types[1:]), ask.names, strict=False)
    return f"{scope}/providers/{NAMESPACE}/" + "/".join(f"{kind}/{name}" for kind, name in pairs)
