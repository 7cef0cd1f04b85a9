"""What the documents say exists: links, commands with their options, and code that runs."""

import inspect
import re
import shlex
from pathlib import Path

import pytest

from kinesight.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [str(document.relative_to(ROOT)) for document in DOCUMENTS]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")  # pictures are made by runs
CODE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    name: "\n".join(CODE.findall(document.read_text()))
    for name, document in zip(NAMES, DOCUMENTS, strict=True)
    if CODE.search(document.read_text())
}


def commands(text: str, program: str) -> list[list[str]]:
    """The words after `program` in every line of code, and in every piece of code inside a line."""
    lines = [line.strip() for line in text.splitlines() if line.startswith(("    ", "python", "kinesight"))]
    pieces = [*lines, *re.findall(r"`([^`\n]+)`", text)]
    shown = [piece.removeprefix("$ ").removeprefix(".venv/bin/") for piece in pieces]
    return [shlex.split(each, comments=True)[1:] for each in shown if each.split()[:1] == [program]]


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str):
    document = ROOT / name
    for link in LINK.findall(document.read_text()):
        if link.startswith(("http:", "https:")):
            continue
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        assert target.exists(), f"{name}: {link}"
        assert not anchor or anchor in anchors(target), f"{name}: {link}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_their_options_exist(name: str):
    for words in commands((ROOT / name).read_text(), "kinesight"):
        if not words or not words[0].islower():
            continue  # the program itself, or a placeholder
        assert words[0] in COMMANDS, f"{name}: kinesight {words[0]}"
        known = {
            "help",
            "set",
            *(p.replace("_", "-") for p in inspect.signature(COMMANDS[words[0]]).parameters),
        }
        for option in re.findall(r"--([a-z][a-z-]*)", " ".join(words)):
            assert option in known, f"{name}: kinesight {words[0]} --{option}"


@pytest.mark.parametrize("name", NAMES)
def test_targets_and_scripts_exist(name: str):
    text = (ROOT / name).read_text()
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in commands(text, "make"):
        assert not words or words[0] in targets, f"{name}: make {words[0]}"
    for words in commands(text, "python"):
        assert words[0].startswith("-") or (ROOT / words[0]).is_file(), f"{name}: python {words[0]}"


@pytest.mark.parametrize("name", NAMES)
def test_files_named_in_tables_exist(name: str):
    """`nn/ema.py` and the like, from the root or from the package."""
    for file in re.findall(r"`([a-z_0-9/]+\.(?:py|toml|sh))`", (ROOT / name).read_text()):
        assert any((base / file).exists() for base in (ROOT, ROOT / "src" / "kinesight")), f"{name}: {file}"


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_code_runs(workplace, name: str):
    assert workplace.python("-c", PROGRAMS[name])
