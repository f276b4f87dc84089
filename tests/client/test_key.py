"""The key goes to the service that it is for, and to no other."""

import httpx
import pytest

from handful import AsyncHandful, Handful, RefusedError
from handful.address import address
from tests.client.scripted import DONE

MOVED = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", MOVED)
def test_a_redirect_to_another_host_is_not_followed(scripted, status):
    other = scripted(DONE)
    first = scripted(httpx.Response(status, headers={"location": f"{other.url}/predict"}))
    with Handful(first.url, api_key="secret") as handful, pytest.raises(RefusedError, match=other.url) as refused:
        handful.predict("alice", ["late"])
    assert refused.value.status == status
    assert first.seen[0]["authorization"] == "Bearer secret"
    assert other.seen == []


@pytest.mark.anyio
async def test_the_asynchronous_client_does_not_follow_a_redirect_either(scripted):
    other = scripted(DONE)
    first = scripted(httpx.Response(307, headers={"location": other.url}))
    async with AsyncHandful(first.url, api_key="secret") as handful:
        with pytest.raises(RefusedError, match="redirects are not followed"):
            await handful.adapt("alice", [("late", "delivery")])
    assert other.seen == []


def test_the_key_of_the_environment_goes_to_its_address_only(monkeypatch):
    monkeypatch.setenv("HANDFUL_URL", "https://ours")
    monkeypatch.setenv("HANDFUL_KEY", "secret")
    assert address(None, None) == ("https://ours", "secret")
    assert address("https://ours/", None) == ("https://ours/", "secret")
    assert address("https://other", None) == ("https://other", None)
    assert address("https://other", "given") == ("https://other", "given")


def test_an_address_without_http_is_refused(monkeypatch):
    monkeypatch.setenv("HANDFUL_URL", "localhost:8000")
    with pytest.raises(ValueError, match=r"HANDFUL_URL: 'localhost:8000' is no address"):
        address(None, None)
    with pytest.raises(ValueError, match="url: 'ours' is no address"):
        address("ours", None)
