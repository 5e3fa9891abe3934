"""`failoverctl probe`: one look now, through the very probers that the daemon uses, phase by phase."""
