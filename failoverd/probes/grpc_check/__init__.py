"""The `grpc` check: gRPC's health checking protocol."""

from failoverd.probes.grpc_check.grpc_prober import KINDS

__all__ = ["KINDS"]
