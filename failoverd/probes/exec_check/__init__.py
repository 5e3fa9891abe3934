"""The `exec` check: any monitoring plugin of the Nagios kind."""

from failoverd.probes.exec_check.exec_prober import KINDS

__all__ = ["KINDS"]
