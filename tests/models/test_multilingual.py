"""A multilingual encoder from a model folder: an XLM-R whose tokenizer is a `tokenizer.json`, and prefixes."""

from pathlib import Path

import pytest
import torch.nn.functional as F
from torch.testing import assert_close

from models.encoders.kinds import encoder_of
from models.encoders.text import TextEncoder
from tests.models.model_folders import library_features, make_image_folder, make_multilingual_folder

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
WORDS = ("where", "is", "my", "parcel", "wo", "ist", "mein", "paket", "包裹", "在哪里", "query:")
TEXTS = ["where is my parcel", "wo ist mein paket", "包裹 在哪里", "paket"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return make_multilingual_folder(tmp_path_factory.mktemp("xlm-r"), WORDS)


def test_features_are_those_of_the_library_in_every_script(folder):
    found = encoder_of(str(folder))
    assert (found.encoder, found.input) == ("text", {"type": "text"})
    assert_close(TextEncoder(**found.options).eval()(TEXTS), library_features(folder, TEXTS), rtol=0, atol=1e-6)


def test_a_long_text_is_cut_to_the_positions_after_that_of_padding(folder):
    encoder = TextEncoder(str(folder)).eval()
    assert encoder.max_tokens == 16
    assert_close(encoder(["paket " * 14]), encoder(["paket " * 100]))


def test_a_prefix_goes_before_each_text(folder):
    found = encoder_of(str(folder), prefix="query: ")
    with_prefix = TextEncoder(**found.options).eval()
    assert_close(with_prefix(TEXTS), library_features(folder, [f"query: {text}" for text in TEXTS]), rtol=0, atol=1e-6)
    assert "Prepend" in (with_prefix.tokenizer_json() or "")


def test_centred_features_lack_what_everyday_sentences_share(folder):
    plain, centred = (TextEncoder(str(folder), centred=each).eval() for each in (False, True))
    assert_close(centred(TEXTS), F.normalize(plain(TEXTS) - plain.everyday_mean(), dim=-1), rtol=0, atol=1e-5)
    assert_close(centred(centred.tokens(TEXTS)), centred(TEXTS), rtol=0, atol=1e-5)
    assert centred.state_dict().keys() == plain.state_dict().keys()


def test_an_encoder_is_centred_once_if_its_features_are_much_alike(folder):
    encoder, centred = TextEncoder(str(folder)).eval(), TextEncoder(str(folder), centred=True).eval()
    assert encoder.centre_if_narrow(), "the features of random weights are much alike"
    assert_close(encoder(TEXTS), centred(TEXTS))
    assert not encoder.centre_if_narrow()
    assert_close(encoder(TEXTS), centred(TEXTS))


def test_photos_take_no_prefix(tmp_path):
    make_image_folder(tmp_path, "vit")
    with pytest.raises(ValueError, match="a prefix goes before texts"):
        encoder_of(str(tmp_path), prefix="query: ")
