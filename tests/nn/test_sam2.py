"""SAM 2 from a local folder: a tiny one with weights of chance, as transformers saves it."""

from pathlib import Path

import numpy as np
import pytest

from kinesight.interfaces.stages import MaskFollower
from kinesight.nn.sam2 import Sam2
from kinesight.types.errors import DataError, UsageError

EDGE, WIDTH = 128, 128


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no SAM 2 here"):
        Sam2(str(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    transformers = pytest.importorskip("transformers")
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[EDGE, EDGE],
        blocks_per_stage=[1, 2, 2, 2],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        global_attention_blocks=[4],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        fpn_hidden_size=WIDTH,
        backbone_feature_sizes=[[EDGE // 4] * 2, [EDGE // 8] * 2, [EDGE // 16] * 2],
    )
    small = {"hidden_size": WIDTH}
    config = transformers.Sam2VideoConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config={**small, "image_size": EDGE, "mask_input_channels": 8},
        mask_decoder_config={
            **small,
            "mlp_dim": WIDTH,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": WIDTH,
        },
        image_size=EDGE,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=WIDTH,
        memory_attention_rope_feat_sizes=[EDGE // 16, EDGE // 16],
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=WIDTH,
        memory_fuser_num_layers=1,
    )
    size = {"height": EDGE, "width": EDGE}
    processor = transformers.Sam2VideoProcessor(
        transformers.Sam2ImageProcessor(size=size, mask_size={"height": EDGE // 4, "width": EDGE // 4}),
        transformers.Sam2VideoVideoProcessor(size=size),
        target_size=EDGE,
    )
    path = tmp_path_factory.mktemp("sam2")
    transformers.Sam2VideoModel(config).save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.mark.extra
def test_masks_of_every_frame_begin_with_those_that_were_given(folder: Path) -> None:
    sam2 = Sam2(str(folder))
    assert isinstance(sam2, MaskFollower)
    rgb = np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), np.uint8)
    masks = np.zeros((2, 48, 64), bool)
    masks[0, 5:20, 5:20] = masks[1, 30:40, 30:50] = True
    found = sam2.follow(rgb, masks)
    assert found.shape == (4, 2, 48, 64)
    assert found.dtype == bool
    assert np.array_equal(found[0], masks)
    assert np.array_equal(found, sam2.follow(rgb, masks))
    assert Sam2(str(folder)).digest() == sam2.digest()


@pytest.mark.extra
def test_a_mask_that_shows_nothing_is_refused(folder: Path) -> None:
    masks = np.zeros((2, 48, 64), bool)
    masks[0, 3, 3] = True
    with pytest.raises(UsageError, match=r"masks that show something, got \[1, 0\]"):
        Sam2(str(folder)).follow(np.zeros((2, 48, 64, 3), np.uint8), masks)


@pytest.mark.extra
def test_another_model_is_refused(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 56}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes)).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="holds a dinov2, not a SAM 2"):
        Sam2(str(tmp_path))
