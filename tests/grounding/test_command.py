"""`kinesight ground`: wrong use is answered before anything is simulated; depths as text."""

from pathlib import Path

import pytest

from kinesight.cli.ground import ground
from kinesight.language.dialects.answers import AnswerError, read_metres, write_metres
from kinesight.types.errors import UnknownName


@pytest.mark.slow  # the command imports what trains models
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dialect": "qwen2.5vl"}, r"dialect 'qwen2\.5vl'\. Did you mean 'qwen2\.5-vl'"),
        ({"dialect": "json", "form": "swft"}, "Did you mean 'swift'"),
        ({"cameras": "frnt"}, "Did you mean 'front'"),
        ({"tasks": "pick-plac"}, "Did you mean 'pick-place'"),
        ({"env": "metaword"}, "Did you mean 'metaworld'"),
    ],
)
def test_wrong_use_leaves_nothing_behind(tmp_path: Path, options: dict, message: str):
    with pytest.raises(UnknownName, match=message):
        ground(out=tmp_path / "set", workers=1, **options)
    assert not (tmp_path / "set").exists()


def test_a_depth_is_read_as_it_was_written():
    assert read_metres(write_metres(0.847)) == 0.85
    assert read_metres(" 1.2 m. ") == 1.2
    for text in ("0.85", "85 cm", "about 0.85 m", "-0.3 m", "1e2 m"):
        with pytest.raises(AnswerError, match="metres such as"):
            read_metres(text)
