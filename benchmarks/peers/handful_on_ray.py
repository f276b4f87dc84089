"""Handful on Ray Serve: one replica of deploy/ray_serve.py."""

import os

from benchmarks.peers.bodies import arguments
from benchmarks.peers.ray_node import run

if __name__ == "__main__":
    given = arguments()
    os.environ |= {
        "HANDFUL_MODELS": str(given.weights),
        "HANDFUL_REDIS_URL": given.redis,
        "HANDFUL_DEFAULT_MODEL": "maml",
    }
    from deploy.ray_serve import app  # reads the settings

    run(app, given)
