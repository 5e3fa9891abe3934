"""Events rendered for those who watch, and the service manager's protocol. Nothing here changes what happens."""
