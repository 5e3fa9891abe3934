"""How bytes get to an endpoint and back: sockets, TLS over them, names to addresses, what errors of them mean."""
