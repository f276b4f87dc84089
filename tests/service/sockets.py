"""Raw HTTP: bytes to the service, and what comes back."""

import socket

import httpx

Address = tuple[str, int]


def address_of(api: httpx.Client) -> Address:
    return api.base_url.host, api.base_url.port or 80


def connect(to: httpx.Client | Address) -> socket.socket:
    return socket.create_connection(address_of(to) if isinstance(to, httpx.Client) else to, timeout=60)


def answers(api: httpx.Client, sent: bytes) -> bytes:
    """All that comes until the service closes the connection, which this side leaves open."""
    with connect(api) as connection:
        connection.sendall(sent)
        return received(connection)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def flood(connection: socket.socket, piece: bytes, size: int) -> int:
    """Send a piece again and again, until `size` bytes are sent or the service closes. Returns the bytes sent."""
    sent = 0
    try:
        while sent < size:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent
