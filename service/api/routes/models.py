"""GET /models and GET /models/{name}."""

from fastapi import APIRouter

from service import errors
from service.api.dependencies import Models
from service.api.problem_details import responses
from service.cards import Card

router = APIRouter(prefix="/models", tags=["models"])


@router.get("", operation_id="list_models", responses=responses())
async def list_models(models: Models) -> list[Card]:
    """The models that can be adapted, each with its card."""
    return list(models.values())


@router.get("/{name}", operation_id="get_model", responses=responses(errors.UnknownModel, errors.Unprocessable))
async def get_model(name: str, models: Models) -> Card:
    """The card of a model: its inputs, its measured quality and its training."""
    return models[name]
