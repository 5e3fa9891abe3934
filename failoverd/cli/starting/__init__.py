"""`failoverctl init`: a first configuration, of flags or of answers."""
