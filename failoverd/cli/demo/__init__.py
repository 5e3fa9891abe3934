"""The demo: a real daemon, a real DNS server and three real HTTP servers on loopback; one of them breaks and heals."""
