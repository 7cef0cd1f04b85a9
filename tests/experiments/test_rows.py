"""Which rows a recipe has."""

import pytest

from kinesight.experiments import catalogue
from kinesight.experiments.recipe import override
from kinesight.experiments.rows import table_rows
from kinesight.types.errors import UnknownName


def test_avdc_follows_an_imaginer_that_reads_no_plan() -> None:
    quickstart = catalogue.recipe("quickstart")
    recorded, imagined = {"avdc oracle", "avdc-replan oracle"}, {"avdc", "avdc-replan"}
    assert not imagined & set(table_rows(("all",), quickstart)), "all rows are rows that can be measured"
    assert recorded < set(table_rows(("all",), quickstart))
    text = override(quickstart, ("stages.imaginer.model.condition=text",))
    assert imagined | recorded < set(table_rows(("all",), text))
    with pytest.raises(UnknownName, match="row of quickstart 'avdc'"):
        table_rows(("avdc",), quickstart)
