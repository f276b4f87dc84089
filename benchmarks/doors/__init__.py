"""The ways into Handful, walked as strangers walk them."""
