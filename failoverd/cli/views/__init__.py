"""What is known, for people and programs. These verbs read the journal, and import nothing that probes or publishes."""
