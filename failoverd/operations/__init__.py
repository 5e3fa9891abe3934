"""The verbs and the views as data: what the command line shows, and whatever else asks. Nothing here prints."""
