"""Single commands: what they print, that they start at once, and how wrong use is answered."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from kinesight.cli import arguments
from kinesight.cli.main import COMMANDS
from kinesight.evaluation.results import read_results
from kinesight.experiments.catalogue import RECIPES
from kinesight.experiments.rows import ROWS
from kinesight.types.errors import UsageError
from kinesight.types.files import write_atomic

QUICK = (
    "import sys, time; began = time.monotonic(); from kinesight.cli.main import main; sys.argv[1:] = ['-h']"
)


def test_help_starts_at_once_and_lists_the_commands() -> None:
    code = (
        f"{QUICK}\ntry: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'mujoco', 'cv2', 'numpy', 'rich.progress'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(time.monotonic() - began)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *text, seconds = done.stdout.splitlines()
    assert float(seconds) < 5, "about 0.3 s on a quiet machine"
    assert all(any(f" {name} " in line for line in text) for name in COMMANDS)


def test_without_arguments_the_commands_are_listed(kinesight) -> None:
    bare, asked = kinesight(), kinesight("--help")
    assert bare == asked
    assert bare.status == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(kinesight, name: str) -> None:
    outcome = kinesight(name, "-h")
    assert (outcome.status, outcome.err) == (0, "")
    assert "None" not in outcome.out, "options without a value say in words what happens"
    assert "(default: )" not in outcome.out
    assert "STR" not in outcome.out, "options show what they take"


def test_list(kinesight) -> None:
    outcome = kinesight("list")
    assert outcome.status == 0
    words = " ".join(outcome.out.split())
    for name in (*RECIPES, *ROWS, "metaworld", "door-open", "corner3", "sp11", "very hard"):
        assert name in words, name


def test_doctor(kinesight, monkeypatch) -> None:
    outcome = kinesight("doctor")
    assert outcome.status == 0, outcome.out
    for check in ("packages", "renderer", "video", "accelerator", "extra chat", "extra hub", "extra viewer"):
        assert check in outcome.out
    monkeypatch.setenv("MUJOCO_GL", "bogus")
    outcome = kinesight("doctor")
    assert outcome.status == 1
    assert "expected one of egl, osmesa, glfw" in outcome.out


def test_plan(kinesight, workspace: Path) -> None:
    outcome = kinesight("plan", "--task", "door-open", "--seed", 3, "--out", "plan.png")
    assert outcome.status == 0, outcome.err
    head, *rows, file = outcome.out.splitlines()
    assert (head, file) == ("Plan:", "plan.png")
    assert [row.split()[1] for row in rows] == ["move", "pull"]
    picture = cv2.imread(str(workspace / "plan.png"))
    assert picture is not None
    assert picture.shape[1] == 480
    assert outcome.err == ""


def test_collect_then_train_on_it(kinesight, workspace: Path) -> None:
    collect = ("collect", "--tasks", "handle-press", "--episodes", 2, "--size", 32, "--workers", 1)
    outcome = kinesight(*collect, "--out", "demos")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("2 episodes in demos")
    train = ("train", "spatial-policy-tiny", "--stage", "policy", "--out", "on-demos")
    outcome = kinesight(*train, "--data", "demos=demos")
    assert outcome.status == 0, outcome.err
    assert "policy: 4/4" in outcome.err
    assert outcome.out.endswith("trained: on-demos; not trained yet: imaginer\n")
    assert json.loads((workspace / "on-demos/run.json").read_text())["data"] == "demos"
    # The run remembers its data: without --data it does not collect, other data are refused.
    assert kinesight(*train).status == 0
    own = next(workspace.glob("data/spatial-policy-tiny-*")).relative_to(workspace)
    outcome = kinesight(*train, "--data", own)
    assert outcome.status == 1
    assert f"on-demos was trained on demos, not on {own}" in outcome.err
    outcome = kinesight("evaluate", "on-demos")
    assert outcome.status == 1
    assert "imaginer holds no checkpoint; train it first: kinesight train spatial-policy-tiny" in outcome.err


def test_a_run_in_place_of_its_results_is_answered_with_where_they_are(elsewhere, tmp_path: Path) -> None:
    write_atomic(tmp_path / "run/eval/shifted/results.json", "{}")
    outcome = elsewhere("compare", "run", "run")
    assert outcome.status == 1
    assert "there are results in run/eval/shifted" in " ".join(outcome.err.split())


def test_a_dry_run_lists_the_tables_that_are_named(elsewhere) -> None:
    outcome = elsewhere("ablate", "ssm-vla", "--dry-run", "--tables", "longer")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("longer  ")
    assert "structure" not in outcome.out


TINY = ("train", "spatial-policy-tiny")
COLLECT = ("collect", "--out", "nothing", "--tasks")
WRONG = {
    "task": (
        (*COLLECT, "door-opn"),
        2,
        "Unknown metaworld task or set 'door-opn'. Did you mean 'door-open'?",
    ),
    "no task": ((*COLLECT, ","), 2, "No task is named in ','"),
    "camera": ((*COLLECT, "push", "--cameras", "cornr"), 2, "camera 'cornr'. Did you mean 'corner'?"),
    "start": ((*COLLECT, "push", "--starts", "odd"), 2, "starts must be some of standard, shifted"),
    "environment": ((*COLLECT, "push", "--env", "metawrld"), 2, "Did you mean 'metaworld'?"),
    "episodes": ((*COLLECT, "push", "--episodes", "0"), 2, "episodes >= 1"),
    "plan task": (("plan", "--task", "pour"), 2, "Unknown task of the geometric planner 'pour'"),
    "plan camera": (("plan", "--task", "door-open", "--camera", "x"), 2, "Unknown metaworld camera 'x'"),
    "plan start": (
        ("plan", "--task", "door-open", "--start", "x"),
        2,
        "start must be one of standard, shifted",
    ),
    "plan out": (("plan", "--task", "door-open", "--out", "p.gif"), 2, "name ends in .png, got p.gif"),
    "recipe": (("train", "quikstart"), 2, "Unknown recipe 'quikstart'. Did you mean 'quickstart'?"),
    "field": ((*TINY, "--set", "agent.execut=2"), 2, "field of agent: 'execut'. Did you mean 'execute'?"),
    "type": (
        (*TINY, "--set", "data.episodes=x"),
        2,
        "expected a whole number, got 'x' @ Recipe.data.episodes",
    ),
    "stage": ((*TINY, "--stage", "polcy"), 2, "Unknown stage 'polcy'. Did you mean 'policy'?"),
    "data name": ((*TINY, "--data", "demo=x"), 2, "the recipe reads demos, not 'demo'"),
    "data": ((*TINY, "--data", "nowhere", "--out", "n"), 1, "nowhere: no data set here"),
    "run": (("evaluate", "nowhere"), 1, "nowhere: no run here (recipe.json is missing)"),
    "row": (
        ("evaluate", "tiny", "--rows", "no gaol"),
        2,
        "Unknown row of spatial-policy-tiny 'no gaol'. Did you mean 'no goal'?",
    ),
    "seeds": (("evaluate", "tiny", "--seeds", "5-2"), 2, "a range of seeds rises, got '5-2'"),
    "letters": (("evaluate", "tiny", "--seeds", "a"), 2, "seeds are written 0-24, 3 or 0-4,7, got 'a'"),
    "gaps": (
        ("evaluate", "tiny", "--seeds", "0,2", "--rows", "all"),
        2,
        "need consecutive seeds, got [0, 2]",
    ),
    "view": (("evaluate", "tiny", "--cameras", "cornr"), 2, "camera 'cornr'. Did you mean 'corner'?"),
    "other view": (
        ("evaluate", "tiny", "--cameras", "corner2"),
        1,
        "trained on cameras corner, not on corner2",
    ),
    "protocol": (("evaluate", "tiny", "--start", "odd"), 2, "start must be one of standard, shifted"),
    "imagine view": (
        ("imagine", "tiny", "--task", "handle-press", "--camera", "corner3"),
        1,
        "trained on cameras corner, not on corner3",
    ),
    "one result": (("compare", "tiny"), 2, "two results or more, got 1"),
    "no results": (("compare", "tiny", "nowhere"), 1, "nowhere/results.json: cannot be read"),
    "table": (("ablate", "ssm-vla", "--dry-run", "--tables", "structur"), 2, "Did you mean 'structure'?"),
    "report": (("report", "nowhere"), 1, "nowhere/results.json: cannot be read (No such file or directory)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_use_is_answered_in_one_line(kinesight, workspace: Path, kind: str) -> None:
    words, status, message = WRONG[kind]
    outcome = kinesight(*words)
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("kinesight: ")]
    assert message in line
    assert outcome.status == status
    assert outcome.err == line + "\n"
    assert not (workspace / "nothing").exists()


@pytest.mark.parametrize("words", [("bogus",), ("train",), ("plan", "--task", "push", "--seed", "a")])
def test_what_cannot_be_parsed_is_wrong_use(kinesight, words) -> None:
    outcome = kinesight(*words)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err + outcome.out


def test_a_path_that_cannot_be_written(kinesight, workspace: Path) -> None:
    (workspace / "file").write_text("")
    for words in ((*TINY, "--out", "file/run"), (*COLLECT[:2], "file/data", "--tasks", "push")):
        outcome = kinesight(*words)
        assert outcome.status == 1
        assert outcome.err.startswith("kinesight: ")
        assert len(outcome.err.splitlines()) == 1


def test_compare_takes_tasks_and_sets_of_them(kinesight, workspace: Path) -> None:
    words = ("compare", "tiny", "tiny/row-no-goal", "--out", "chosen.json", "--tasks")
    outcome = kinesight(*words, "handle-press")
    assert outcome.status == 0, outcome.err
    assert "2 paired cases of 1 task, shifted" in outcome.out
    assert json.loads((workspace / "chosen.json").read_text())["tasks"] == ["handle-press"]
    outcome = kinesight(*words, "easy")
    assert outcome.status == 2
    assert "spatial-policy-tiny was not measured on door-open, door-close" in outcome.err
    assert kinesight(*words, "easy", "--common").status == 0
    outcome = kinesight(*words, "esy")
    assert "Unknown metaworld task or set 'esy'. Did you mean 'easy'?" in outcome.err


def test_results_of_other_cases_are_not_replaced(kinesight, workspace: Path) -> None:
    words = ("evaluate", "tiny", "--limit", 3, "--workers", 1, "--out", "kept", "--seeds")
    assert kinesight(*words, "0-1").status == 0
    before = (workspace / "kept/results.json").read_bytes()
    outcome = kinesight(*words, "1-2", "--rows", "no goal")
    assert outcome.status == 2
    for part in ("kept/results.json holds 2 episodes, of handle-press seeds 0-1", "1 of them", "--out DIR"):
        assert part in outcome.err
    assert (workspace / "kept/results.json").read_bytes() == before
    assert not (workspace / "kept/row-no-goal").exists()
    # More cases, and more rows on the same ones, are what a folder is for.
    outcome = kinesight(*words, "0-2", "--rows", "no goal")
    assert outcome.status == 0, outcome.err
    assert [len(read_results(workspace / "kept" / part).cases) for part in (".", "row-no-goal")] == [3, 3]


def test_damaged_results_are_named(kinesight, workspace: Path) -> None:
    folder = workspace / "damaged"
    folder.mkdir()
    text = (workspace / "tiny/results.json").read_text()
    for wrong, message in (
        (text[:100], "no valid JSON"),
        (text.replace('"schema": 1', '"schema": 7'), "schema 7, this version reads schema 1"),
        (text.replace('"success_rate": 0.0', '"success_rate": 0.5'), "is 0.5, but the episodes give 0.0"),
    ):
        (folder / "results.json").write_text(wrong)
        outcome = kinesight("compare", "tiny", "damaged")
        assert outcome.status == 1
        assert outcome.err.startswith("kinesight: damaged/results.json: ")
        assert message in outcome.err


def other_cameras(facts: dict) -> None:
    facts["calibration"]["handle-press/corner"]["K"]["values"][0] *= 1.1


def other_size(facts: dict) -> None:
    facts["calibration"]["handle-press/corner"]["height"] = 48


def other_actions(facts: dict) -> None:
    facts["action"]["scales"][0] = 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_cameras, "camera corner of handle-press was trained with K = [["),
        (other_size, "the environment"),
        (other_actions, "scales=(0.5, "),
        (lambda facts: facts.update(cameras=["corner2"]), "trained on cameras corner2, not on corner"),
        (lambda facts: facts.update(env="tables"), "trained on tables, asked to act in metaworld"),
        (lambda facts: facts.pop("action"), "field 'action' is missing"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    kinesight, workspace: Path, change: Callable[[dict], None], message: str
) -> None:
    run = workspace / "edited"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(workspace / "tiny", run, symlinks=True)
    config = run / "policy/checkpoints/0000004/config.json"
    document = json.loads(config.read_text())
    change(document["facts"])
    config.write_text(json.dumps(document))
    outcome = kinesight("evaluate", "edited", "--workers", 1)
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith(
        "kinesight: edited/policy/checkpoints/0000004/config.json:"
    )
    assert message in outcome.err
    assert not (run / "eval").exists()


def test_blind_replay_says_where_its_demonstrations_are(kinesight, workspace: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = kinesight(
        "evaluate", workspace / "tiny", "--rows", "blind replay", "--limit", 3, "--workers", 1
    )
    assert outcome.status == 1
    assert "run.json names the data set 'data/spatial-policy-tiny-" in outcome.err
    assert read_results(workspace / "tiny/eval/shifted").agent == "spatial-policy-tiny"


def test_lists_and_ranges() -> None:
    assert arguments.names(" a, b,a ,") == ("a", "b")
    assert arguments.seeds("0-2,7,1") == (0, 1, 2, 7)
    assert arguments.data_sets("x", ("demos",)) == {"demos": Path("x")}
    assert arguments.data_sets("a=x,b=y", ("a", "b")) == {"a": Path("x"), "b": Path("y")}
    assert arguments.assignments((("a=1", "b=2"), ("c=3",))) == ("a=1", "b=2", "c=3")
    with pytest.raises(UsageError, match="write NAME=DIR for each"):
        arguments.data_sets("x", ("a", "b"))
