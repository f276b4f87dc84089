"""Tiny model folders with random weights, as they lie on a hub."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "where", "is", "my", "parcel", "?", "i", "want", "a", "refund", "now", "the", *"bcdefgh"]
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = TRANSFORMER | {"intermediate_size": 48, "image_size": 32, "patch_size": 8}
TOWERS = {
    "text_config": TRANSFORMER | {
        "intermediate_size": 48, "vocab_size": 100, "max_position_embeddings": 16,
        "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    },
    "vision_config": VISION,
}  # fmt: skip
SQUARE = {"do_resize": True, "size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CENTRE = SQUARE | {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
FOLDERS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "dinov2": ("Dinov2", TRANSFORMER | {"image_size": 32, "patch_size": 8}, "Bit", CENTRE | {"resample": 3}),
    "vit": ("ViT", VISION, "ViT", SQUARE | {"resample": 2}),
    "convnextv2": ("ConvNextV2", {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, "ConvNext",
                   SQUARE | {"size": {"shortest_edge": 56}, "crop_pct": 0.875, "resample": 3}),
    "resnet": ("ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
               "ConvNext", SQUARE | {"size": {"shortest_edge": 384}, "crop_pct": 0.875, "resample": 2}),
    "mobilenet_v2": ("MobileNetV2", {"depth_multiplier": 0.25, "image_size": 32}, "MobileNetV2",
                     CENTRE | {"resample": 2}),
    "clip": ("CLIP", TOWERS | {"projection_dim": 24}, "CLIP", CENTRE | {"resample": 3}),
    "clip_vision_model": ("CLIPVision", VISION, "CLIP", CENTRE | {"resample": 3}),
    "siglip": ("Siglip", TOWERS, "Siglip", SQUARE | {"resample": 3}),
    "siglip_vision_model": ("SiglipVision", VISION, "Siglip", SQUARE | {"resample": 3}),
}  # fmt: skip
"""By `model_type`: the network's name in the library, its configuration, and its image processor with its options."""


def make_text_folder(path: Path, layers: int = 3) -> Path:
    """A tiny BERT."""
    import transformers  # noqa: PLC0415

    path.mkdir(parents=True, exist_ok=True)
    (path / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(path)
    transformers.BertTokenizerFast(vocab_file=str(path / "vocab.txt")).save_pretrained(path)
    return path


def make_multilingual_folder(path: Path, words: Sequence[str]) -> Path:
    """A tiny XLM-R with the tokenizer of its kind, whose pieces are these words and all of their characters."""
    import tokenizers  # noqa: PLC0415
    import transformers  # noqa: PLC0415
    from tokenizers import normalizers, pre_tokenizers, processors  # noqa: PLC0415

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = sorted({letter for word in words for letter in word} | {"\u2581"})
    scored = [(each, 0.0) for each in special] + [(f"\u2581{word}", -2.0) for word in words]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.Unigram([*scored, *((each, -8.0) for each in letters)], unk_id=3)
    )
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", None, [("<s>", 0), ("</s>", 2)])
    tokens = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), special, strict=True))
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens).save_pretrained(path)
    torch.manual_seed(0)
    config = transformers.XLMRobertaConfig(
        **TRANSFORMER, vocab_size=tokenizer.get_vocab_size(), intermediate_size=48, max_position_embeddings=18,
        pad_token_id=1,
    )  # fmt: skip
    transformers.XLMRobertaModel(config).save_pretrained(path)
    return path


def make_image_folder(path: Path, model_type: str) -> Callable[..., Any]:
    """A tiny image network of any of `FOLDERS`. Returns the library's own image processor of it."""
    import transformers  # noqa: PLC0415

    network, config, processor, options = FOLDERS[model_type]
    torch.manual_seed(0)
    made = getattr(transformers, f"{network}Model")(getattr(transformers, f"{network}Config")(**config))
    with torch.no_grad():
        for each in made.parameters():  # fresh weights are so small that deep networks answer with zeros
            each.normal_(std=0.3)
    made.save_pretrained(path)
    prepare: Callable[..., Any] = getattr(transformers, f"{processor}ImageProcessor")(**options)
    prepare.save_pretrained(path)  # type: ignore[attr-defined]
    return prepare


def library_features(path: Path, texts: Sequence[str]) -> torch.Tensor:
    """The mean over the tokens by the library itself, one text at a time."""
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    network, tokenizer = AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    with torch.no_grad():
        hidden = [network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0) for text in texts]
    return F.normalize(torch.stack(hidden), dim=-1)
