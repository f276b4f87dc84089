"""The model of texts: a pre-trained sentence encoder whose last layers are meta-trained on many kinds of texts."""

from models.checkpoint import Spec
from models.datasets.episode import Shape
from models.recipes.recipe import Recipe

MINILM = {
    "name": "sentence-transformers/all-MiniLM-L6-v2",
    "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}

TEXTS: dict[str, Recipe] = {
    "texts": Recipe(
        title="Texts in English, any number of classes and examples",
        spec=Spec("named-logistic", "text", {"iterations": 20}, MINILM | {"trained_layers": 2}),
        dataset="texts",
        training_split="train",
        validation_split="val",
        episode=Shape(24, 2, 2),
        validation_episode=Shape(20, 1, 2),
        steps=400,
        tasks_per_step=1,
        lr=5e-5,
        precision="bfloat16",
        input={"type": "text"},
        limits=(
            "English. Other languages are read, badly.",
            "The first 256 tokens of a text.",
        ),
    ),
}
