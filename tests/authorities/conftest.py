from support.fixtures import bind_server, knot_server, shared_bind, shared_knot

__all__ = ["bind_server", "knot_server", "shared_bind", "shared_knot"]
