"""The masked autoencoder: what is trained on."""

from dataclasses import replace

import pytest
import torch
from model_samples import AUTOENCODER, generator

from kinesight.nn.vit import as_patches
from kinesight.types.errors import UsageError
from kinesight.types.facts import DataFacts


def test_hidden_patches_alone_are_trained_on_each_normalised(facts: DataFacts) -> None:
    """The decoder knows where it is and the whole picture but for one patch, which it draws too bright."""
    model = replace(AUTOENCODER, shift=0).build(facts)
    picture = torch.randint(0, 256, (1, 1, 12, 16, 3), generator=generator()).to(torch.uint8)
    known = as_patches(picture[:, 0].permute(0, 3, 1, 2).float() / 127.5 - 1, 4)[0]
    known = (known - known.mean(1, keepdim=True)) / known.std(1, keepdim=True, unbiased=False)
    known[5] += 1
    model.blocks, model.norm = torch.nn.ModuleList(), torch.nn.Identity()  # type: ignore[assignment]
    model.hidden.data.zero_()
    model.position.data = torch.eye(12, 16)
    model.out.weight.data, model.out.bias.data = torch.cat([known, known.new_zeros(4, 48)]).T, torch.zeros(48)
    seen = []
    model.vit.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    found = model.loss("features", picture.expand(16, -1, -1, -1, -1), generator())["patches"]
    (shown,) = seen
    hidden = (shown != 5).all(1)
    assert 0 < hidden.sum() < 16
    torch.testing.assert_close(found, hidden / (12 - shown.shape[1]), atol=1e-4, rtol=0)


def test_a_mask_that_hides_no_patch_is_refused(facts: DataFacts) -> None:
    """A mean over no patch is no number."""
    with pytest.raises(UsageError, match=r"mask hides 0\.04 of 12 patches, which is none"):
        replace(AUTOENCODER, mask=0.04).build(facts)
    assert replace(AUTOENCODER, mask=0.05).build(facts).shown == 11
