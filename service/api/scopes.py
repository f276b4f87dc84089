"""The scope that each route needs. A new route that changes something needs `adapt`, unless it is named here."""

from service.store.key_ring import Scope

READS = ("GET", "HEAD")
PREDICTS = ("predict", "evaluate", "infer", "explain", "suggest")
"""Last parts of the paths of POST routes that answer from a client and change nothing."""


def scope_of(method: str, template: str) -> Scope:
    """The scope of a route.

    Args:
        method: The method.
        template: The path with the names of its parameters, such as /clients/{client_id}.
    """
    if template.startswith("/admin"):
        return "admin"
    if method in READS:
        return "read"
    last = template.rpartition("/")[2]
    return "predict" if method == "POST" and last.partition(".")[0] in PREDICTS else "adapt"
