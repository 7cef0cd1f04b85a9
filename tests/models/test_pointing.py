"""The pointing model: its losses, its randomness, that it moves answers with the picture and can learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kinesight.data.ground_windows import PATH, POINT, GroundBatches, GroundQuestions
from kinesight.interfaces.model import TrainableModel
from kinesight.language.words import Vocabulary
from kinesight.models.pointing import Pointing, PointingConfig, PointingFacts
from kinesight.nn.checkpoint import load_into, load_tensors, save_tensors
from kinesight.types.errors import DataError, UsageError
from kinesight.types.serial import from_json, to_json

SMALL = PointingConfig(batch_size=4, per_image=3, image=32, width=8, features=16, shift=0, colour=0.0)
COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220), "green": (30, 180, 60)}


def drawn(count: int, seed: int = 0) -> GroundQuestions:
    """A square of each colour in a cell of its own; asked for one of them, or for a path between two."""
    generator = np.random.default_rng(seed)
    images, names, questions, frames, kinds, regions, paths = [], [], [], [], [], [], []
    for number in range(count):
        picture = np.full((32, 32, 3), 90, np.uint8)
        cells = generator.permutation(16)[:3]
        for colour, cell in zip(COLOURS.values(), cells, strict=True):
            picture[8 * (cell // 4) :, 8 * (cell % 4) :][:8, :8] = colour
        images.append(picture)
        centres = [((cell % 4 + 0.5) / 4, (cell // 4 + 0.5) / 4) for cell in cells]
        for index, colour in enumerate(COLOURS):
            region = np.zeros((8, 8), np.uint8)
            region[2 * (cells[index] // 4) :, 2 * (cells[index] % 4) :][:2, :2] = 255
            other = list(COLOURS)[index - 1]
            line = np.linspace(centres[index], centres[index - 1], 8)
            names += [f"{number}/point/{index}", f"{number}/path/{index}"]
            questions += [f"Point at the {colour} square.", f"Move the {colour} square to the {other} one."]
            frames += [number] * 2
            kinds += [POINT, PATH]
            regions += [region, np.zeros_like(region)]
            paths += [np.zeros((8, 2)), line]
    return GroundQuestions(
        tuple(names), tuple(questions), np.stack(images), np.array(frames), np.array(kinds),
        np.stack(regions), np.stack(paths).astype(np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def data() -> GroundQuestions:
    return drawn(12)


@pytest.fixture(scope="module")
def vocabulary(data: GroundQuestions) -> Vocabulary:
    return Vocabulary.from_sentences(data.questions)


def build(vocabulary: Vocabulary, config: PointingConfig = SMALL) -> Pointing:
    torch.manual_seed(0)
    return config.build(PointingFacts(vocabulary.words))


def batch(model: Pointing, data: GroundQuestions, seed: int = 0):
    source = GroundBatches.of(data, model.vocabulary, model.config.per_image)
    return model.collate("questions", source.batch((seed,), 4))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_is_trainable_and_its_terms_are_named(data, vocabulary) -> None:
    model = build(vocabulary, replace(SMALL, shift=8, colour=0.1))
    assert isinstance(model, TrainableModel)
    terms = model.loss("questions", batch(model, data), generator())
    assert terms.keys() == model.loss_weights.keys()
    assert all(value.shape == (4,) and bool(value.isfinite().all()) for value in terms.values())
    again = model.loss("questions", batch(model, data), generator())
    other = model.loss("questions", batch(model, data), generator(1))
    assert all(torch.equal(terms[name], again[name]) for name in terms)
    assert not torch.equal(terms["point"], other["point"])
    sum(value.mean() for value in terms.values()).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_a_batch_is_a_function_of_its_seed_and_holds_the_picture_of_its_questions(data, vocabulary) -> None:
    source = GroundBatches.of(data, vocabulary, 5)
    (one,), (again,) = (list(source([(3, 1)], 6)) for _ in range(2))
    assert all(torch.equal(one.values[name], again.values[name]) for name in one.values)
    assert one.values["words"].shape[:3] == (6, 1, 5)
    for example in range(6):
        row = data.questions.index(one.instructions[example])
        same = np.flatnonzero([question == data.questions[row] for question in data.questions])
        pictures = {int(data.frames[f]) for f in same}
        assert any(np.array_equal(one.values["image"][example, 0].numpy(), data.images[p]) for p in pictures)
        for asked in range(5):
            region = one.values["region"][example, 0, asked].numpy()
            assert region.any() == (int(one.values["kind"][example, 0, asked]) == POINT)


def test_picture_and_answers_are_shifted_alike(data, vocabulary) -> None:
    model = build(vocabulary, replace(SMALL, shift=8))
    given = batch(model, data)
    for seed in range(5):
        images, regions, paths = model._shifted(given, generator(seed))
        plain, _, before = build(vocabulary)._shifted(given, generator(seed))
        for example in range(4):
            step = ((paths - before)[example, 0, 0] * 8).round().int().tolist()
            if any(int(k) == POINT for k in given.kinds[example]) and abs(step[0]) + abs(step[1]):
                rolled = torch.roll(plain[example], (4 * step[1], 4 * step[0]), (1, 2))
                rows = slice(max(0, 4 * step[1]), 32 + min(0, 4 * step[1]))
                columns = slice(max(0, 4 * step[0]), 32 + min(0, 4 * step[0]))
                assert torch.equal(images[example, :, rows, columns], rolled[:, rows, columns])
        colour = torch.nn.functional.avg_pool2d(images, 4)
        for example, asked in (given.kinds == POINT).nonzero().tolist():
            right = regions[example, asked] > 0
            if right.any():
                assert float(colour[example][:, right].std(dim=1).max()) < 1e-4, "one colour is asked for"


def test_weights_and_facts_bring_it_back(data, vocabulary, tmp_path) -> None:
    model = build(vocabulary)
    save_tensors(model.state_dict(), tmp_path / "m.safetensors")
    config, facts = (from_json(type(v), to_json(v)) for v in (SMALL, model.facts))
    other = config.build(facts)
    load_into(other, load_tensors(tmp_path / "m.safetensors"), tmp_path / "m.safetensors")
    for mine, theirs in zip(model.answer(data.images[:2], data.questions[:2]),
                            other.answer(data.images[:2], data.questions[:2]), strict=True):  # fmt: skip
        np.testing.assert_array_equal(mine, theirs)


def test_a_few_pictures_are_learned_by_heart(vocabulary) -> None:
    data = drawn(3)
    model = build(vocabulary, replace(SMALL, width=12, features=24))
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    source = GroundBatches.of(data, vocabulary, 6)
    for step in range(110):
        terms = model.loss("questions", model.collate("questions", source.batch((step,), 3)), generator(step))
        loss = sum(model.loss_weights[name] * value.mean() for name, value in terms.items())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    points, paths = model.eval().answer(data.images[data.frames], data.questions)
    asked = data.kinds == POINT
    cells = (points[asked] * 8).astype(int).clip(0, 7)
    hits = data.regions[asked][np.arange(asked.sum()), cells[:, 1], cells[:, 0]] > 0
    assert hits.mean() > 0.9
    away = np.linalg.norm(paths[~asked] - data.paths[~asked], axis=-1).mean()
    assert away < 0.1
    shuffled, _ = model.answer(data.images[(data.frames + 1) % 3], data.questions)
    cells = (shuffled[asked] * 8).astype(int).clip(0, 7)
    assert (data.regions[asked][np.arange(asked.sum()), cells[:, 1], cells[:, 0]] > 0).mean() < 0.5


def test_what_cannot_be_is_refused(data, vocabulary) -> None:
    with pytest.raises(UsageError, match="multiple of 4 from 32 on"):
        PointingConfig(image=30)
    with pytest.raises(DataError, match="no question"):
        GroundBatches.of(data.restricted(range(0)), vocabulary, 2)
