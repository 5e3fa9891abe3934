from support.fixtures import bind_server, shared_bind

__all__ = ["bind_server", "shared_bind"]
