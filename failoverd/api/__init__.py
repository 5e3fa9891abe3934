"""The admin API: how operators, and programs of theirs, reach a daemon at work.

`service.py` is the way in for the daemon, `client.py` for who asks. What goes over the wire is said by `shapes.py`, for
both of them and for the document.
"""
