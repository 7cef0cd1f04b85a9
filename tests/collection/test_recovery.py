"""Episodes from disturbed states: a function of the case alone, begun off the expert's path, ended by it."""

import json
from dataclasses import replace

import numpy as np
import point_mass
import pytest

from kinesight.collection.collect import CollectionConfig, collect, record_episodes
from kinesight.collection.recovery import BESIDE_M, DRAWS, GRIP_STEPS, Disturbed, drawn_start, gripped_steps
from kinesight.data.episodes import Episode, EpisodeStore
from kinesight.envs import catalogue
from kinesight.types.case import STARTS
from kinesight.types.decision import Decision
from kinesight.types.errors import DataError, KinesightError, UnknownName, UsageError
from kinesight.types.observation import ViewRequest

CONFIG = replace(point_mass.CONFIG, recovery=("push", "none", "stop"), noise_std=0.0, episodes=4)
LIMIT = CONFIG.limit


def run(path, config=CONFIG, workers=1) -> EpisodeStore:
    return collect(config, path, workers, "", point_mass.make_environment, point_mass.make_expert)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> EpisodeStore:
    return run(tmp_path_factory.mktemp("recovery") / "d")


def disturbed(kind: str, seed: int = 1000, task: str = "far", limit: int = LIMIT) -> Disturbed:
    inner = point_mass.PointMass(point_mass.case(task=task, seed=seed), 1000)
    return Disturbed(inner, point_mass.Expert(0.0), kind, limit)


def path_of_the_expert(seed: int, task: str) -> np.ndarray:
    environment = point_mass.PointMass(point_mass.case(task=task, seed=seed), LIMIT)
    agent, result = point_mass.Expert(0.0), environment.reset()
    agent.reset(environment.case)
    seen = [environment.observe(ViewRequest(scene=True))]
    while not (result.success or result.truncated):
        result = environment.step(agent.act(seen[-1]).action)
        seen.append(environment.observe(ViewRequest(scene=True)))
    return np.stack([each.proprio[:3] for each in seen])


@pytest.mark.parametrize("kind", ["push", "stop"])
@pytest.mark.parametrize("seed", range(1000, 1003))
def test_a_reset_depends_on_the_case_alone(kind, seed):
    one, other = disturbed(kind, seed), disturbed(kind, seed)
    states = []
    for environment in (one, one, other):
        result = environment.reset()
        assert (result.step, result.success, result.truncated) == (0, False, False)
        states.append((environment.observe(ViewRequest()).proprio, environment.disturbance))
    for proprio, disturbance in states[1:]:
        assert np.array_equal(proprio, states[0][0])
        assert disturbance == states[0][1]


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_a_push_leaves_the_experts_path_where_it_says(seed):
    environment = disturbed("push", seed)
    environment.reset()
    path, disturbance = path_of_the_expert(seed, "far"), environment.disturbance
    assert disturbance is not None
    assert 6 <= disturbance.steps <= 20
    begin = disturbance.recover_timestep - disturbance.steps
    assert 0 <= begin < len(path) - 1
    moved = environment.observe(ViewRequest()).proprio[:3] - path[begin]
    # One constant action, in every direction at most a tenth of a metre a step.
    assert 0 < np.abs(moved).max() <= 0.1 * disturbance.steps + 1e-6
    assert np.linalg.norm(path - (path[begin] + moved), axis=1).min() > 0.02


@pytest.mark.parametrize("seed", range(1000, 1003))
def test_a_stop_stands_beside_the_target(seed):
    environment = disturbed("stop", seed)
    environment.reset()
    seen = environment.observe(ViewRequest(scene=True))
    assert seen.scene is not None
    beside = seen.proprio[:3] - seen.scene.points["target"]
    # A tenth of the way a step: after 25 of them 7 % are left.
    assert np.linalg.norm(beside) < BESIDE_M[1] + 0.12
    assert environment.disturbance is not None
    assert environment.disturbance.kind == "stop"


def test_steps_and_truncation_count_from_the_disturbance():
    environment = disturbed("push", limit=7)
    environment.reset()
    for step in range(7):
        assert environment.observe(ViewRequest()).step == step
        result = environment.step(np.zeros(4))
        assert (result.step, result.truncated) == (step + 1, step == 6)


def test_a_slip_needs_fingers_that_have_closed():
    opened_then_closed = np.repeat([1.0, -1.0], 20)
    assert list(gripped_steps(opened_then_closed)) == list(range(20 + GRIP_STEPS, 40))
    for never in (np.ones(30), -np.ones(30), np.repeat([1.0, -1.0], [28, 2])):
        assert not len(gripped_steps(never))
    generator = np.random.default_rng(0)
    actions = np.zeros((40, 4))
    assert drawn_start("slip", actions + 1, 3, generator)[0] == "push"
    actions[:, 3] = opened_then_closed
    kinds, starts = zip(*(drawn_start("slip", actions, 3, generator) for _ in range(200)), strict=True)
    assert set(kinds) == {"slip"}
    assert set(starts) == set(range(20 + GRIP_STEPS, 40))
    assert {drawn_start("stop", actions, 3, generator)[1] for _ in range(300)} == set(range(20))


def test_a_layout_that_every_disturbance_solves_is_named():
    class Solved(point_mass.PointMass):
        def _success(self) -> bool:
            return True

    class Waits(point_mass.Expert):
        def act(self, observation) -> Decision:
            return Decision(np.zeros(4))

    inner = Solved(point_mass.case(), 1000)
    inner.reset = lambda: replace(point_mass.PointMass.reset(inner), success=False)  # type: ignore[method-assign]
    with pytest.raises(KinesightError, match=f"solved by every one of {DRAWS}"):
        Disturbed(inner, Waits(0.0), "push", 5).reset()


def test_kinds_are_dealt_to_the_seeds_with_every_start(whole):
    metas = [whole.meta(i) for i in range(len(whole)) if whole.meta(i).case.task == "near"]
    period = len(STARTS) * len(CONFIG.recovery)
    dealt = [(CONFIG.case("near", 1000 + i).start, CONFIG.disturbance(1000 + i)) for i in range(period)]
    assert len(set(dealt)) == period
    for meta in metas:
        kind = CONFIG.disturbance(meta.case.seed)
        assert meta.text.get("recovery", {"kind": "none"})["kind"] == kind
        assert meta.text["succeeded"]


def test_what_is_recorded_begins_in_the_disturbed_state(whole):
    for episode in (whole[i] for i in range(len(whole))):
        if "recovery" not in episode.text:
            continue
        case, told = episode.case, episode.text["recovery"]
        inner = point_mass.PointMass(case, 1000)
        environment = Disturbed(inner, point_mass.Expert(0.0), told["kind"], LIMIT)
        environment.reset()
        np.testing.assert_array_equal(
            episode.arrays["proprio"][0], environment.observe(ViewRequest()).proprio
        )
        np.testing.assert_allclose(episode.arrays["action"], episode.arrays["executed"])


@pytest.mark.parametrize(
    ("kept", "workers"),
    [(1, 1), *(pytest.param(*each, marks=pytest.mark.sweep) for each in ((0, 2), (5, 1)))],
)
def test_a_cut_collection_is_completed_to_the_same_files(whole, tmp_path, kept, workers):
    store = EpisodeStore.create(tmp_path / "d", replace(whole.info, failed=dict.fromkeys(CONFIG.tasks, ())))
    for index in range(kept):
        store.append(whole[index])
    assert contents(run(store.path, workers=workers).path) == contents(whole.path)


def test_a_data_set_of_before_this_setting_is_completed(tmp_path):
    plain = replace(CONFIG, recovery=("none",), episodes=2)
    file = run(tmp_path / "d", plain).path / "dataset.json"
    document = json.loads(file.read_text())
    del document["collector"]["recovery"]
    file.write_text(json.dumps(document))
    assert len(run(tmp_path / "d", plain)) == 2 * len(plain.tasks)
    with pytest.raises(DataError, match=r"recovery is \['none'\] there and \['push'\] here"):
        run(tmp_path / "d", replace(plain, recovery=("push",)))


def test_wrong_kinds_are_answered():
    with pytest.raises(UnknownName, match=r"'pusch'.*Did you mean 'push'\?.*none, push, slip, stop"):
        replace(CONFIG, recovery=("pusch",))
    with pytest.raises(UsageError, match="must name a kind"):
        replace(CONFIG, recovery=())
    with pytest.raises(UsageError, match="scene=True"):
        replace(CONFIG, scene=False)
    with pytest.raises(UnknownName, match="kind of disturbance 'none'"):
        disturbed("none")


def recorded(task: str, kind: str, seed: int) -> Episode:
    config = CollectionConfig("metaworld", (task,), 1, ("corner",), 8, 8, rgb=False, recovery=(kind,))
    (episode,) = record_episodes(config, catalogue.make_case, catalogue.expert, config.case(task, seed))
    return episode


@pytest.mark.slow
def test_a_dropped_ball_is_fetched_again():
    episode = recorded("basketball", "slip", 1002)
    assert episode.text["succeeded"]
    assert episode.text["recovery"]["kind"] == "slip"
    opening = episode.arrays["proprio"][:, 7]
    assert opening[0] > 0.8
    assert opening[-1] < 0.7, "it is held at the end"
    ball, gripper = episode.arrays["scene.target"], episode.arrays["scene.gripper"]
    assert np.linalg.norm(ball - gripper, axis=1).max() > 0.05, "it had left the hand"
