"""DINOv2 from a local folder: a tiny one with weights of chance, as transformers saves it."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kinesight.nn.dinov2 import EDGE, DinoV2
from kinesight.nn.hub import local_folder
from kinesight.types.errors import DataError, MissingDependency


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no DINOv2 here"):
        DinoV2(str(tmp_path))


def test_a_name_on_the_hub_is_fetched_where_there_is_no_such_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, object, bool]] = []

    def snapshot_download(name: str, local_files_only: bool, **wanted: object) -> str:
        asked.append((name, wanted["revision"], local_files_only))
        if local_files_only and name != "facebook/cached":
            raise RuntimeError("not in the cache")
        if name == "nobody/nothing":
            raise OSError("no network")
        return str(tmp_path / "snapshot")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    monkeypatch.setattr("kinesight.nn.hub.find_spec", lambda name: name)
    monkeypatch.chdir(tmp_path)
    for name in ("facebook/cached", "facebook/dinov2-small@v1.0"):
        assert local_folder(name, "DINOv2") == tmp_path / "snapshot"
    with pytest.raises(DataError, match="no folder here, and the hub gives no such DINOv2: no network"):
        local_folder("nobody/nothing", "DINOv2")
    (tmp_path / "models" / "dino").mkdir(parents=True)
    for here in ("models/dino", str(tmp_path), "dino", "a/b/c"):
        assert local_folder(here, "DINOv2") == Path(here)
    assert asked == [
        ("facebook/cached", None, True),
        ("facebook/dinov2-small", "v1.0", True),
        ("facebook/dinov2-small", "v1.0", False),
        ("nobody/nothing", None, True),
        ("nobody/nothing", None, False),
    ]


def test_without_the_extra_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kinesight.nn.hub.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="DINOv2 needs the extra hub"):
        local_folder("facebook/dinov2-small", "DINOv2")


@pytest.mark.extra
@pytest.mark.parametrize("registers", [0, 4])
def test_features_are_one_token_a_patch_and_stay_frozen(tmp_path: Path, registers: int) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 56}
    if registers:
        config = transformers.Dinov2WithRegistersConfig(
            **sizes, image_size=EDGE, num_register_tokens=registers
        )
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(**sizes, image_size=EDGE))
    model.save_pretrained(tmp_path)
    dino = DinoV2(str(tmp_path))
    pictures = 2 * torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0)) - 1
    features = dino(pictures)
    assert (dino.features, dino.tokens) == (16, 16)
    assert features.shape == (2, 16, 16)
    assert not features.requires_grad
    assert torch.equal(features, dino(pictures))
    assert not torch.allclose(features[0], features[1])
    assert DinoV2(str(tmp_path)).digest() == dino.digest()
