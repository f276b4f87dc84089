"""An engine with its own worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.cards import Catalogue
from service.ipc.client import WorkerClient, worker_engine
from service.logs import log_to_stderr
from service.process.run_folder import run_folder
from service.process.serve import new_worker
from service.settings import Settings


@asynccontextmanager
async def own_worker(settings: Settings) -> AsyncIterator[WorkerClient]:
    """An engine with a worker as a child process. The worker restarts if it dies, and ends with this process."""
    log_to_stderr(settings.log_format)
    models = {
        name: card.checkpoint for name, card in Catalogue(settings.models, settings.serve, settings.own_models).items()
    }
    restart_always = asyncio.Event()
    restart_always.set()
    with run_folder() as folder:
        settings = settings.model_copy(update={"worker_socket": folder / "worker"})
        worker = new_worker("Worker", settings)
        running = asyncio.create_task(worker.keep_running(restart_always))
        try:
            async with worker_engine(settings.worker_socket, models, settings.deadline_s, settings.export_s) as engine:
                yield engine
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await worker.stop()
