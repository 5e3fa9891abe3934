"""`failoverctl benchmark`: one check, asked steadily for a time, and what its regions came to beside each other."""
