"""The perceptual term: nothing for equal pictures, a gradient for others, and readable refusals."""

from pathlib import Path

import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from kinesight.nn.perceptual import Perceptual
from kinesight.types.errors import DataError


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As torchvision writes it, with chance for weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    tensors = make_layers(cfgs["D"]).state_dict()
    torch.save({f"features.{name}": value.half().float() for name, value in tensors.items()}, path)
    return path


def test_pictures_are_near_themselves_and_gradients_reach_what_was_predicted(file: Path) -> None:
    term = Perceptual(str(file))
    wanted = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    predicted = wanted.roll(1, 0).clone().requires_grad_()
    distance = term(predicted, wanted)
    assert distance.shape == (2,)
    assert bool((distance > 0).all())
    distance.sum().backward()
    assert predicted.grad is not None
    assert float(predicted.grad.abs().sum()) > 0
    torch.testing.assert_close(term(wanted, wanted), torch.zeros(2))
    assert len(term.digest()) == 12


def test_a_file_that_is_no_vgg_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(1)}, other)
    with pytest.raises(DataError, match=r"other.pth: not a weights file of torchvision's VGG-16"):
        Perceptual(str(other)).digest()
    with pytest.raises(DataError, match=r"none\.pth: no such file; wanted are the weights of"):
        Perceptual(str(tmp_path / "none.pth")).digest()
