"""The command with which a person does the same without failoverd."""

from failoverd.core.control.plan import Plan
from failoverd.core.errors import ProviderError
from failoverd.ports import Provider


def manual_command(provider: Provider, plan: Plan) -> str:
    """The command that carries a plan out, or "" where the provider has none.

    Telling must not fail: what undoes a change, or what stood there once, may be something that a person made and the
    provider's own terms cannot say.
    """
    try:
        return provider.manual(plan)
    except ProviderError:
        return ""
