"""Names, lists of tasks and cheap imports."""

import subprocess
import sys

import pytest

from kinesight.envs import catalogue
from kinesight.types.case import Case
from kinesight.types.errors import UnknownName, UsageError


def test_listing_loads_no_simulator():
    code = (
        "import sys; from kinesight.envs import catalogue as c; c.tasks(c.names()[0]);"
        "assert not {'mujoco', 'metaworld', 'gymnasium', 'torch'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_simulators_do_without_torch():
    code = (
        "import sys; from kinesight.envs import catalogue as c; c.make('metaworld', 'door-open', 0).reset();"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lists_hold_tasks_and_sets_in_order_and_once():
    assert len(catalogue.tasks("metaworld")) == 50
    assert len(catalogue.task_set("metaworld", "sp11")) == 11
    assert catalogue.task_set("metaworld", "reach, sp11,reach,door-open")[:2] == ("reach", "door-open")
    assert len(catalogue.task_set("metaworld", "reach,sp11,door-open")) == 12
    assert catalogue.task_set("metaworld", "all") == catalogue.tasks("metaworld")


def test_groups_of_difficulty_are_sets():
    groups = ("easy", "medium", "hard", "very hard")
    assert [len(catalogue.task_set("metaworld", group)) for group in groups] == [7, 2, 1, 1]
    together = catalogue.task_set("metaworld", ", ".join(groups))
    assert sorted(together) == sorted(catalogue.task_set("metaworld", "sp11"))


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'metaworld'"):
        catalogue.tasks("metawrld")
    with pytest.raises(UnknownName, match="Did you mean 'door-open'"):
        catalogue.make("metaworld", "door-opn", 0)
    with pytest.raises(UnknownName, match="Did you mean 'sp11'"):
        catalogue.task_set("metaworld", "sp1")
    with pytest.raises(UnknownName, match="corner2"):
        catalogue.make("metaworld", "door-open", 0, camera="top")
    with pytest.raises(UsageError, match="No task"):
        catalogue.task_set("metaworld", " , ")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_impossible_seeds_are_refused(seed: int):
    with pytest.raises(UsageError, match="seed"):
        catalogue.make("metaworld", "door-open", seed)


def test_a_case_makes_its_environment():
    case = Case("metaworld", "faucet-open", 5, "corner3", "shifted")
    environment = catalogue.make_case(case, limit=7)
    assert environment.case == case
    assert catalogue.make("metaworld", "faucet-open", 5, camera="corner3", start="shifted").case == case
