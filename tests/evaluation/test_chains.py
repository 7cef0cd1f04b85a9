"""Tasks in a row: closed forms, files, the terminal's table and the page."""

from io import StringIO
from itertools import product

import numpy as np
import pytest
from evaluation_samples import chain
from rich.console import Console

from kinesight.evaluation.bootstrap import bootstrap_interval
from kinesight.evaluation.chain_comparison import chain_difference, chain_differences, chain_table
from kinesight.evaluation.chains import chains_of
from kinesight.evaluation.report import write_report
from kinesight.evaluation.results import Results, read_results, summarize, write_results
from kinesight.evaluation.statistics import wilson_interval
from kinesight.types.case import Case
from kinesight.types.decision import Event
from kinesight.types.errors import DataError
from kinesight.types.results import EpisodeResult


def results_of(episodes: list[EpisodeResult], agent: str = "agent") -> Results:
    return Results(agent, "standard", tuple(episodes))


DONE = [5, 5, 3, 0, 1, 5, 2, 0]


def test_shares_fall_and_their_sum_is_the_average():
    chains = chains_of([chain(seed, done, void=done == 3) for seed, done in enumerate(DONE)])
    assert chains is not None
    assert chains.count == len(DONE)
    assert [share.successes for share in chains.in_a_row] == [6, 5, 4, 3, 3]
    assert chains.average == pytest.approx(sum(share.rate for share in chains.in_a_row))
    assert chains.average == pytest.approx(np.mean(DONE))
    assert chains.in_a_row[1].wilson_95 == wilson_interval(5, 8)
    assert chains.average_95 == bootstrap_interval(np.array(DONE, float))
    assert chains.average in chains.average_95
    assert chains.void == 1


def test_other_episodes_are_no_chains():
    plain = EpisodeResult(Case("metaworld", "drawer-open", 0, "corner"), True, 50, metrics={"path_m": 0.4})
    assert chains_of([plain]) is None
    mixed = chains_of([plain, chain(0, 2)])
    assert mixed is not None
    assert mixed.count == 1


def test_an_error_before_the_first_task_counts_as_none_done():
    case = Case("metaworld-chains", "drawer", 9, "corner")
    error = (Event(0, "error", "ValueError: no start"),)
    broken = EpisodeResult(case, False, 0, counts={"error": 1}, events=error)
    chains = chains_of([chain(0, 5), broken])
    assert chains is not None
    assert [share.rate for share in chains.in_a_row] == [0.5] * 5
    assert chains.average == 2.5
    assert chains_of([broken]) is None


WORSE = {"deaf": 0, "slow": 1}


def test_a_chain_that_ended_early_is_counted_where_it_ended():
    for done in range(6):
        chains = chains_of([chain(0, done)])
        assert chains is not None
        assert [share.successes for share in chains.in_a_row] == [int(done >= place) for place in range(1, 6)]


def test_the_summary_follows_from_the_episodes_and_by_family(tmp_path):
    episodes = [chain(seed, done) for seed, done in enumerate(DONE)]
    results = results_of([*episodes, *(chain(seed, 5, "window") for seed in range(4))])
    found = summarize(results)
    assert found.chains is not None
    assert found.chains.average == pytest.approx((sum(DONE) + 20) / 12)
    family = found.per_task["window"].chains
    assert family is not None
    assert (family.average, family.bootstrap_95, family.in_a_row) == (5.0, (5.0, 5.0), (1.0,) * 5)
    file = write_results(tmp_path, results)
    assert summarize(read_results(tmp_path)) == found
    file.write_text(file.read_text().replace('"tasks_done": 3.0', '"tasks_done": 4.0'))
    with pytest.raises(DataError, match=r"summary\.chains"):
        read_results(tmp_path)


def test_a_difference_pairs_chains_and_its_p_is_that_of_every_swap():
    other = [4, 5, 1, 1, 0, 2, 2, 0]
    first = results_of([chain(seed, done) for seed, done in enumerate(other)])
    mine = results_of([chain(seed, done) for seed, done in reversed([*enumerate(DONE)])])
    difference = chain_difference(mine, first)
    assert difference is not None
    gains = np.array(DONE) - other
    assert difference.mean == pytest.approx(gains.mean())
    assert difference.mean_95.low <= difference.mean <= difference.mean_95.high
    swaps = [abs((gains * signs).sum()) for signs in product((1, -1), repeat=len(gains))]
    assert difference.p == pytest.approx(np.mean(np.array(swaps) >= abs(gains.sum())))
    elsewhere = results_of([chain(seed, 1) for seed in range(20, 24)])
    assert chain_difference(mine, elsewhere) is None
    plain = results_of([EpisodeResult(Case("metaworld", "drawer-open", 0, "corner"), True, 50)])
    assert chain_difference(plain, plain) is None


def test_differences_of_several_rows_are_corrected_together():
    first = results_of([chain(seed, done) for seed, done in enumerate(DONE)])
    rows = {"agent": first}
    rows |= {
        name: results_of([chain(seed, n) for seed in range(len(DONE))], name) for name, n in WORSE.items()
    }
    assert "Holm" not in str(chain_differences({"agent": first, "deaf": rows["deaf"]})["deaf"])
    found = chain_differences(rows)
    p, q = (found[name].p for name in WORSE)
    assert p < q
    assert [found[name].holm_p for name in WORSE] == [
        pytest.approx(min(1, 2 * p)),
        pytest.approx(max(2 * p, q)),
    ]
    assert ", Holm's p " in str(found["deaf"])


def test_terminal_and_page_show_every_row(tmp_path):
    main = results_of([chain(seed, done, void=done == 3) for seed, done in enumerate(DONE)])
    deaf = results_of([chain(seed, 0) for seed in range(len(DONE))], "deaf")
    text = StringIO()
    rows = {"agent": main, "deaf": deaf}
    chains = {name: results.chains for name, results in rows.items()}
    table = chain_table(chains, chain_differences(rows))
    Console(file=text, width=80).print(table)
    assert "2.62" in text.getvalue()
    assert "0.00 (0.00–0.00)" in text.getvalue()
    assert "1 ended because" in text.getvalue()
    assert "deaf: −2.62 (" in text.getvalue()
    page = write_report(tmp_path, main, {"deaf": deaf}).read_text()
    assert "Tasks in a row" in page
    assert "2.62" in page
    assert 'title="6 of 8"' in page
    assert "<th>minus agent</th>" in page
    assert "<td>−2.62 (" in page
    plain = EpisodeResult(Case("metaworld", "drawer-open", 0, "corner"), True, 50)
    assert "Tasks in a row" not in write_report(tmp_path / "plain", results_of([plain])).read_text()
