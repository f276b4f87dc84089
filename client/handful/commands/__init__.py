"""The command line of the client, for the extra `cli`."""
