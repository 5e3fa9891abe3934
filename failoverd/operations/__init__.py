"""What an operator can ask and do, as data: shared by the command line and by whatever else shows it.

Reading needs no daemon. What writes is safe beside one: the fence at the DNS provider makes it so, not a lock.
"""
