"""A real service, as the tests of the service have it."""

from tests.service import conftest

zoo, worker, nodes, redis_url, redis = conftest.zoo, conftest.worker, conftest.nodes, conftest.redis_url, conftest.redis
settings, served, api, anyio_backend = conftest.settings, conftest.served, conftest.api, conftest.anyio_backend
