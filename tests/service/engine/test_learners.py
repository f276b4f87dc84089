"""Loading the learners of a folder."""

from models.checkpoint import Spec, build, save
from service.engine.learners import load
from service.settings import Settings


def test_a_model_that_cannot_be_loaded_is_named_in_the_log_and_the_others_are_loaded(tmp_path, caplog):
    spec = Spec("maml", "mlp", {"kind": "regression", "outputs": 1}, {"inputs": 1, "widths": [4]})
    save(tmp_path / "good.safetensors", spec, build(spec).state_dict())
    save(tmp_path / "lost.safetensors", Spec("protonet", "text", {}, {"name": "no/model", "sha256": "0" * 64}), {})
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    names = ["broken", "good", "lost", "missing"]
    assert list(load(names, Settings(models=tmp_path))) == ["good"]
    for name in ("broken", "lost", "missing"):
        assert f"the model {name} cannot be loaded" in caplog.text
