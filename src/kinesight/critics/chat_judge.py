"""A judge of imagined videos that asks a vision-language model (Spatial Policy, stage 1 of the dual-stage
replanning; VLMCheck in Algorithm 1).

The model sees the frames, the instruction and the plan, answers each criterion with yes or no and then says
Accept or Reject with a reason. Its word decides; the share of criteria that hold is the score. Without a
usable answer a default verdict stands in, and its note says why.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from kinesight.geometry.contact_sheet import chosen_frames, contact_sheet
from kinesight.language.chat import ChatClient, ChatConfig
from kinesight.language.consult import Consulted, chat_note, consult, fallback_note
from kinesight.language.messages import Message
from kinesight.language.prompts import CRITERIA, judge_question, judge_rules
from kinesight.language.replies import Judgement, read_judgement
from kinesight.types.decision import Verdict
from kinesight.types.errors import KinesightError, UsageError
from kinesight.types.observation import Observation
from kinesight.types.video import ImaginedVideo

UNKNOWN = 0.5
"""Score of a video that was not judged: between all criteria and none."""


@dataclass(frozen=True, slots=True)
class ChatJudgeConfig:
    """Which model judges, what it is shown, and what holds when it gives no usable answer."""

    chat: ChatConfig
    layout: Literal["sheet", "frames"] = "sheet"
    """One contact sheet, or every frame as a picture of its own, which costs more tokens."""
    most_frames: int = 8
    """Imagined frames that are shown, the last always among them."""
    columns: int = 3
    """Of the contact sheet."""
    tile_height: int = 224
    """Pixels of a frame on the contact sheet."""
    corrections: int = 1
    """How often an unreadable answer is sent back with the reason."""
    without_answer: Literal["accept", "reject"] = "accept"
    """The default verdict. Rejecting costs every imagined video while an endpoint is down."""

    def __post_init__(self) -> None:
        if min(self.most_frames, self.columns, self.tile_height) < 1 or self.corrections < 0:
            raise UsageError(
                "most_frames, columns and tile_height must be positive and corrections not negative, got "
                f"{self.most_frames}, {self.columns}, {self.tile_height} and {self.corrections}"
            )

    def build(self) -> "ChatJudge":
        """The judge; a missing package or key is an error here."""
        return ChatJudge(self, self.chat.build())


@dataclass(frozen=True, slots=True)
class ChatJudge:
    """A `Critic`. Terms are the criteria (1 yes, 0 no) and "answered" (0 for the default verdict)."""

    config: ChatJudgeConfig
    client: ChatClient

    def judge(self, video: ImaginedVideo, observation: Observation) -> Verdict:
        """Accept or reject; the observation adds nothing, since the video begins with what is seen."""
        criteria = criteria_for(video)
        try:
            consulted = consult(
                self.client,
                judge_messages(video, self.config),
                partial(read_judgement, criteria=criteria),
                self.config.corrections,
            )
        except UsageError:
            raise  # a wrong set-up would otherwise look like an endpoint that always fails
        except KinesightError as error:
            return default_verdict(self.config.without_answer == "accept", error)
        return verdict(consulted, self.config.chat.model)


def verdict(consulted: Consulted[Judgement], model: str) -> Verdict:
    """What the model said, as a `Verdict`."""
    said = consulted.result
    word = "accepted" if said.accept else "rejected"
    return Verdict(
        said.accept,
        f"{word}: {said.reason}",
        float(np.mean(list(said.terms.values()))),
        {**said.terms, "answered": 1.0},
        (chat_note(model, "verdict", consulted.values),),
    )


def default_verdict(accept: bool, error: KinesightError) -> Verdict:
    """What holds without an answer. Its score says that nothing is known, whatever is done."""
    word = "accepted" if accept else "rejected"
    reason = f"{word} without a judgement"
    return Verdict(accept, reason, UNKNOWN, {"answered": 0.0}, (fallback_note(reason, error),))


def criteria_for(video: ImaginedVideo) -> tuple[str, ...]:
    """Names of what is asked; a video without a plan cannot follow one."""
    return tuple(name for name in CRITERIA if name != "plan" or video.plan is not None)


def judge_messages(video: ImaginedVideo, config: ChatJudgeConfig) -> tuple[Message, ...]:
    """What the model is asked: the rules, then the pictures with the question."""
    frames = chosen_frames(video.first, video.frames, config.most_frames)
    count = len(frames) - 1
    if config.layout == "sheet":
        images = (contact_sheet(frames, config.columns, config.tile_height),)
        arrangement = (
            f"One picture holds all frames in reading order: number 0 is real, 1 to {count} are imagined."
        )
    else:
        images = tuple(frames)
        arrangement = f"The first picture is real, the {count} that follow are imagined."
    rules = judge_rules({name: CRITERIA[name] for name in criteria_for(video)})
    return (
        Message("system", rules),
        Message("user", judge_question(video.instruction, video.plan, arrangement), images),
    )
