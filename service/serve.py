"""handful serve: the API and the device worker in one process."""

import uvicorn

from service.app import create_app
from service.cards import Catalogue
from service.embedded import check_free
from service.engine.worker import Worker
from service.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until interrupted. Raises DataInUse when another Handful has the data folder."""
    if settings.redis_url is None:
        check_free(settings.store_dir)
    catalogue = Catalogue(settings.models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    try:
        app = create_app(settings, catalogue, worker)
        uvicorn.run(app, host=settings.host, port=settings.port, access_log=False)
    finally:
        worker.close()
