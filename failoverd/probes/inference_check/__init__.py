"""The `inference` check: a ladder of questions to an API of the OpenAI-compatible kind.

Whether the server lives is asked each time, which models it lists less often, and a completion seldom, for it costs
tokens. The answer of each rung counts until the next one: a probe comes to the worst of what the rungs said last.
"""

from failoverd.probes.inference_check.inference_prober import KINDS

__all__ = ["KINDS"]
