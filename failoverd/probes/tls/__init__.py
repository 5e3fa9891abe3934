"""Whom TLS checks trust, as whom they introduce themselves, and how long certificates are valid still."""
