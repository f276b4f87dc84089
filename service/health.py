"""Whether the service can do its job: shown by doing it."""

import numpy as np

from service.arrays import Array
from service.cards import Card, ImageInput
from service.engine.contract import Engine, SupportSet
from service.errors import Busy, HandfulError, Unavailable
from service.store import Store


async def check(store: Store, engine: Engine, card: Card) -> None:
    """Reach Redis, and adapt and answer with a model. Raises Unavailable."""
    await store.ping()
    if not engine.alive():
        raise Unavailable("The device worker is not running.")
    try:
        await warm_up(engine, card)
    except Busy:
        return  # it works, and has much to do
    except HandfulError as error:
        raise Unavailable(f"The device worker did not answer a probe: {error.detail}") from error


async def warm_up(engine: Engine, card: Card) -> None:
    """One adapt and one predict on made-up examples."""
    support = _made_up(card)
    key = f"probe/{card.name}"
    state = await engine.adapt(card.name, key, support)
    await engine.predict(card.name, key, support.inputs, state)


def _made_up(card: Card) -> SupportSet:
    inputs: Array
    if isinstance(card.input, ImageInput):
        inputs = np.zeros((2, 1, card.input.size, card.input.size), dtype=np.uint8)
        inputs[0, 0, ::2], inputs[1, 0, :, ::2] = 255, 255
    else:
        inputs = np.linspace(-1, 1, 2 * card.input.length, dtype=np.float32).reshape(2, -1)
    if card.kind == "regression":
        return SupportSet(inputs, np.ones((2, card.outputs or 1), dtype=np.float32), ways=0)
    return SupportSet(inputs, np.arange(2), ways=2)
