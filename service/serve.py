"""handful serve: the API and the device worker in one process."""

import uvicorn

from service.app import create_app
from service.cards import Catalogue
from service.engine.worker import Worker
from service.settings import Settings


def serve(settings: Settings) -> None:
    """Serve until interrupted."""
    catalogue = Catalogue(settings.models)
    worker = Worker(list(catalogue), settings)
    worker.start()
    try:
        app = create_app(settings, catalogue, worker)
        uvicorn.run(app, host=settings.host, port=settings.port, access_log=False)
    finally:
        worker.close()
