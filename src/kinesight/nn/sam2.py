"""Masks followed through a video by SAM 2 from a local folder (Ravi et al., 2024).

The folder holds what transformers' `save_pretrained` writes for a SAM 2 video model and its processor.
Nothing is downloaded.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool

from kinesight.nn.hub import folder_digest, read_local
from kinesight.types.arrays import Video
from kinesight.types.errors import UsageError


class Sam2:
    """A `MaskFollower`: what masks show in the first frame, in every frame."""

    def __init__(self, folder: str, device: str = "cpu") -> None:
        self.folder, self.device = Path(folder), device
        classes = ("Sam2VideoModel", "Sam2VideoProcessor")
        self._model, self._processor = read_local(self.folder, "SAM 2", *classes, kind="sam2_video")
        self._model.eval().requires_grad_(False).to(device)

    @torch.inference_mode()
    def follow(self, rgb: Video, masks: Bool[np.ndarray, "n y x"]) -> Bool[np.ndarray, "t n y x"]:
        """The first frame's masks come back as they were given. Raises `UsageError` for empty ones."""
        if not len(masks) or not masks.any(axis=(1, 2)).all():
            raise UsageError(
                f"SAM 2 follows masks that show something, got {masks.sum(axis=(1, 2)).tolist()}"
            )
        session = self._processor.init_video_session(video=rgb, inference_device=self.device)
        self._processor.add_inputs_to_inference_session(
            session, frame_idx=0, obj_ids=list(range(len(masks))), input_masks=list(masks)
        )
        self._model(inference_session=session, frame_idx=0)
        found = np.zeros((len(rgb), *masks.shape), bool)
        for output in self._model.propagate_in_video_iterator(session):
            (drawn,) = self._processor.post_process_masks(
                [output.pred_masks], original_sizes=[masks.shape[1:]], binarize=True
            )
            found[output.frame_idx] = drawn[:, 0].cpu().numpy()
        found[0] = masks
        return found

    def digest(self) -> str:
        """Start of the SHA-256 of the folder's files."""
        return folder_digest(self.folder)
