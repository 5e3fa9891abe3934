"""What the Azure providers share: settings, credentials, the pipeline of their SDK clients, and the map of errors.

No provider itself. `settings.py` and `scope.py` import nothing of the SDK; the rest is imported when a provider opens.
"""
