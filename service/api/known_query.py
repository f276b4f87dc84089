"""Refuse query parameters that a call does not take.

One that was misspelt would otherwise be ignored: `?keep-history=true` would remove the history, and `?mode=append`
beside a JSON body would replace the examples of a client.
"""

from collections.abc import Collection

from fastapi import Depends, Request
from starlette.datastructures import QueryParams

from service.errors import Unprocessable


def check_query(query: QueryParams, known: Collection[str]) -> None:
    """Refuse parameters other than the known ones. Raises Unprocessable."""
    for name in query:
        if name not in known:
            taken = f"only {', '.join(sorted(known))}" if known else "none"
            raise Unprocessable(
                f"{name[:80]}: no query parameter of this call, which takes {taken}. Leave it out.", field=name[:80]
            )


def check_beside_body(query: QueryParams) -> None:
    """Refuse parameters beside a body that holds all fields. Raises Unprocessable."""
    if name := next(iter(query), None):
        raise Unprocessable(
            f"{name[:80]}: send it in the body. The query holds the fields of forms, CSV files and zips only.",
            field=name[:80],
        )


async def _declared_query(request: Request) -> None:
    check_query(request.query_params, [each.alias for each in request.scope["route"].dependant.query_params])


DECLARED_QUERY = Depends(_declared_query)
"""For routers whose parameters are those that FastAPI documents."""
