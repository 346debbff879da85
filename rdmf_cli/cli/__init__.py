"""The command line: one thin file a command, over the API of the same words."""
