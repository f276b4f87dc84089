"""What `handful serve` starts."""

import socket

import pytest

from service.process.serve import children
from service.settings import Settings


@pytest.mark.parametrize(("device", "replicas", "devices"), [
    ("cpu", 2, ["cpu", "cpu"]),
    ("cuda", 1, ["cuda"]),
    ("cuda", 3, ["cuda:0", "cuda:1", "cuda:2"]),
    ("cuda:1", 2, ["cuda:1", "cuda:1"]),
])  # fmt: skip
def test_each_replica_has_a_device(tmp_path, device, replicas, devices):
    with socket.socket() as listening:
        workers, _ = children(Settings(device=device, replicas=replicas), tmp_path, listening)
    assert [worker.arguments[0].device for worker in workers] == devices


def test_the_api_processes_of_a_replica_share_the_socket_of_its_worker(tmp_path):
    with socket.socket() as listening:
        workers, apis = children(Settings(replicas=2, api_processes=3), tmp_path, listening)
    sockets = [worker.arguments[0].worker_socket for worker in workers]
    assert len(set(sockets)) == 2
    assert [api.arguments[0].worker_socket for api in apis] == [sockets[0]] * 3 + [sockets[1]] * 3
