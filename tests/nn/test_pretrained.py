"""Weights from local files: an ImageNet ResNet as a beginning, a CLIP text encoder that stays as it is."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torchvision import models

from kinesight.nn.clip_text import ClipText
from kinesight.nn.encoders import ResNet
from kinesight.nn.imagenet import DEVIATION, load_imagenet
from kinesight.types.errors import DataError, MissingDependency

# A ResNet


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    torch.manual_seed(0)
    network = models.resnet18(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    return network


@pytest.fixture(scope="module")
def file(theirs: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(theirs.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ours(file: Path) -> ResNet:
    encoder = ResNet(6, 8, "resnet18")
    assert len(load_imagenet(encoder, file)) == 12
    return encoder


def test_two_equal_pictures_give_what_one_gave_in_the_original(ours: ResNet, theirs: torch.nn.Module) -> None:
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    scaled = picture / (2 * torch.tensor(DEVIATION).view(1, 3, 1, 1))
    torch.testing.assert_close(
        ours.trunk.conv1(torch.cat([picture, picture], dim=1)), theirs.conv1(scaled), atol=1e-5, rtol=1e-5
    )


def test_convolutions_scales_and_shifts_are_taken_over_and_the_classes_are_not(
    ours: ResNet, theirs: torch.nn.Module
) -> None:
    mine, given = ours.trunk.state_dict(), theirs.state_dict()
    taken = [name for name in mine if not name.startswith(("fc.", "conv1."))]
    assert {"layer4.1.conv2.weight", "layer4.1.bn2.weight", "layer4.0.downsample.1.bias"} <= set(taken)
    for name in taken:
        assert torch.equal(mine[name], given[name]), name
    assert mine["fc.weight"].shape == (8, 512)


def test_files_that_do_not_fit_are_named_and_change_nothing(file: Path, tmp_path: Path, ours: ResNet) -> None:
    before = ours.trunk.conv1.weight.clone()
    weights = torch.load(file, weights_only=True)
    cases = {
        "missing": (None, "no such file"),
        "short": ({k: v for k, v in weights.items() if "layer3" not in k}, r"lacks \['layer3"),
        "deeper": ({**weights, "layer4.2.conv1.weight": weights["conv1.weight"]}, r"has \['layer4.2"),
        "wide": ({**weights, "layer1.0.conv1.weight": torch.zeros(2, 3)}, r"layer1.0.conv1.weight has shape"),
        "grey": ({**weights, "conv1.weight": torch.zeros(64, 1, 7, 7)}, r"conv1.weight has shape \(64, 1"),
        "list": ([1, 2], "expected tensors by name"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.pth"
        if content is not None:
            torch.save(content, path)
        with pytest.raises(DataError, match=rf"{name}\.pth: .*{message}"):
            load_imagenet(ours, path)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(DataError, match="not a file of weights"):
        load_imagenet(ours, tmp_path / "text.pth")
    assert torch.equal(ours.trunk.conv1.weight, before)


# CLIP's text encoder


def make_clip(folder: Path, seed: int = 0) -> Path:
    """A CLIP text model of 2 layers and 8 features, with a tokeniser that spells words out."""
    transformers = pytest.importorskip("transformers", reason="needs the extra hub")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[])
    torch.manual_seed(seed)
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    config = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    transformers.CLIPTextModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.mark.extra
def test_states_are_the_encoders_and_zero_after_the_end(folder: Path) -> None:
    from transformers import CLIPTextModel

    clip = ClipText(str(folder))
    cpu = torch.device("cpu")
    states = clip.states(("open", "go", "open", "a long sentence that is cut off"), cpu)
    assert states.shape == (4, 12, 8) == (4, clip.length, clip.features)
    assert (states != 0).any(-1).sum(1).tolist() == [6, 4, 6, 12], "start, letters, end"
    assert torch.equal(states[0], states[2])
    assert not torch.equal(states[0], states[1])
    letters = [ord(letter) - ord("a") for letter in "op"] + [ord("e") - ord("a"), 26 + ord("n") - ord("a")]
    model = CLIPTextModel.from_pretrained(folder).eval()
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([[52, *letters, 53]])).last_hidden_state
    torch.testing.assert_close(states[:1, :6], expected)
    assert not states.requires_grad


@pytest.mark.extra
def test_a_sentence_that_was_met_while_imagining_can_be_trained_with(folder: Path) -> None:
    clip = ClipText(str(folder))
    with torch.inference_mode():
        clip.states(("open",), torch.device("cpu"))
    weight = torch.ones(8, 1, requires_grad=True)
    F.linear(clip.states(("open",), torch.device("cpu")), weight.T).sum().backward()
    assert weight.grad is not None


@pytest.mark.extra
def test_the_digest_is_of_the_weights(folder: Path, tmp_path: Path) -> None:
    (same := tmp_path / "same").mkdir()
    for each in folder.iterdir():
        (same / each.name).write_bytes(each.read_bytes())
    other = make_clip(tmp_path / "other", seed=1)
    digests = [ClipText(str(each)).digest() for each in (folder, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_folder_without_an_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"no CLIP text encoder here \(config.json is missing\)"):
        ClipText(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8}))
    with pytest.raises(DataError, match=r"config.json: .*lacks \['max_position_embeddings'\]"):
        ClipText(str(tmp_path))
    (tmp_path / "config.json").write_text(
        json.dumps({"text_config": {"hidden_size": 8, "max_position_embeddings": 4}})
    )
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingDependency, match=r"pip install kinesight\[hub\]"):
        ClipText(str(tmp_path))
