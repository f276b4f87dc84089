"""The processes of a replica: start, supervise, restart."""
