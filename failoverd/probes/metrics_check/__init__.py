"""The `metrics` check: a page of Prometheus metrics, held against thresholds."""

from failoverd.probes.metrics_check.metrics_prober import KINDS

__all__ = ["KINDS"]
