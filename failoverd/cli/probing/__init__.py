"""`failoverctl probe`: one probe now, through the very probers that the daemon uses, phase by phase."""
