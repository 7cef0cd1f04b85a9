"""A frozen CLIP text encoder from a local folder (Radford et al. 2021; Spatial Policy, Eq. 2).

The folder holds what transformers' `save_pretrained` writes for a CLIP model, or its text part, and its
tokeniser. Nothing is downloaded. The encoder is no part of the model that uses it: checkpoints name its
folder and a hash of its files.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from kinesight.nn.hub import folder_digest, read_local
from kinesight.types.errors import DataError
from kinesight.types.serial import parse_json


class ClipText:
    """Sentence -> the last layer's state at every token; each sentence is encoded once."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.features, self.length = _text_sizes(self.folder)
        classes = ("CLIPTokenizer", "CLIPTextModel")
        self._tokenizer, self._model = read_local(self.folder, "CLIP text encoder", *classes)
        self._model.eval().requires_grad_(False)
        self._known: dict[tuple[str, torch.device], Tensor] = {}

    def states(self, sentences: Sequence[str], device: torch.device) -> Float[Tensor, "b n d"]:
        """Up to `length` tokens, with start and end; zeros after the end. Longer sentences are cut off."""
        for sentence in sentences:
            if (sentence, device) not in self._known:
                self._known[sentence, device] = self._encode(sentence, device)
        return torch.stack([self._known[sentence, device] for sentence in sentences])

    @torch.no_grad()
    def _encode(self, sentence: str, device: torch.device) -> Float[Tensor, "n d"]:
        # A sentence may be met first while imagining; tensors of inference mode cannot be trained on later.
        with torch.inference_mode(False), torch.autocast("cpu", enabled=False):
            tokens = self._tokenizer([sentence], truncation=True, max_length=self.length, return_tensors="pt")
            found = self._model(input_ids=tokens["input_ids"]).last_hidden_state[0].float()
            states = torch.zeros(self.length, self.features)
            states[: len(found)] = found
            return states.to(device)

    def digest(self) -> str:
        """Start of the SHA-256 of the folder's files."""
        return folder_digest(self.folder)


def _text_sizes(folder: Path) -> tuple[int, int]:
    """Features of a state, and the most tokens of a sentence."""
    file = folder / "config.json"
    if not file.exists():
        raise DataError(f"{folder}: no CLIP text encoder here (config.json is missing)")
    config = parse_json(file.read_text(), str(file))
    config = config.get("text_config") or config
    if missing := {"hidden_size", "max_position_embeddings"} - config.keys():
        raise DataError(f"{file}: not the configuration of a CLIP text encoder, lacks {sorted(missing)}")
    return config["hidden_size"], config["max_position_embeddings"]
