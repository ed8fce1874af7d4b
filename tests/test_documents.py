"""What README, SECURITY and CHANGELOG say is so: paths, scripts, commands, options and exit codes."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from agents.cli.arguments import normalise
from agents.cli.main import EPILOGUE, CommandError, app
from agents.core.errors import exit_codes

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "SECURITY.md", "CHANGELOG.md")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NOT_OURS = (".venv", ".build", "node_modules")
"""Made by scripts/setup, or by whoever installs."""

# A path is told from other words by its first folder, which is one of ours.
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
PATH = re.compile(rf"(?<![\w./~-])(?:\./)?((?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*{{}},-]*\w[\w*}}]*)")
FILE = re.compile(r"(?<![\w./-])([\w-]+\.(?:md|toml|yaml|json|sol|circom|py))(?![\w/])")

SHELLS = ("sh", "bash", "console", "shell")
ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=")
AGENT = re.compile(r"([A-Z_][A-Z0-9_]*=\S* +)*agent( |$)")


def text_of(document: str) -> str:
    return (ROOT / document).read_text()


def expanded(path: str) -> list[str]:
    """``scripts/bench_{gas,peers}`` as two paths."""
    found = re.search(r"\{([^{}]*)\}", path)
    if not found:
        return [path]
    return [each for word in found[1].split(",") for each in expanded(path.replace(found[0], word, 1))]


def exists(path: str) -> bool:
    """Whether ``path``, perhaps with ``*``, is there."""
    return bool(list(ROOT.glob(path))) if "*" in path else (ROOT / path).exists()


def paths_in(text: str) -> set[str]:
    return {path for found in PATH.findall(text) for path in expanded(found) if not path.startswith(NOT_OURS)}


def anchors(text: str) -> set[str]:
    """What the headings are called by links."""
    heads = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    text, lost = text_of(document), []
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        known = (ROOT / name).exists()
        if not known or (
            anchor and (not name or name.endswith(".md")) and anchor not in anchors(text_of(name or document))
        ):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_is_there(document: str) -> None:
    text = text_of(document)
    assert [path for path in sorted(paths_in(text)) if not exists(path)] == []
    known = {
        path.name for folder in ("agents", "circuits", "contracts", "tests") for path in (ROOT / folder).rglob("*.*")
    }
    known |= {path.name for path in ROOT.iterdir()}
    alone = {name for name in FILE.findall(FENCE.sub("", text)) if name not in known}
    assert alone == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_script_named_can_be_run(document: str) -> None:
    text = text_of(document)
    named = {path for path in paths_in(text) if re.fullmatch(r"scripts/\w+", path)}
    named |= {f"scripts/{bench}" for bench in re.findall(r"\bbench_\w+", text) if f"{bench}*" not in text}
    assert [path for path in sorted(named) if not os.access(ROOT / path, os.X_OK)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_is_left_to_be_filled_in(document: str) -> None:
    assert re.findall(r"^[A-Z][A-Z ]{3,}$", text_of(document), re.MULTILINE) == []
    assert re.findall(r"\b(?:TODO|TBD|FIXME|XXX)\b", text_of(document)) == []


# --- SECURITY ---


def threats() -> list[tuple[str, str]]:
    """Threat and the cell that says where it is tested."""
    rows = re.findall(r"^\|(.*)\|\s*$", text_of("SECURITY.md"), re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return [(row[0], row[-1]) for row in cells if row[0] != "threat" and set(row[0]) - set("-: ")]


def test_every_threat_is_tested() -> None:
    found = threats()
    assert len(found) > 30
    assert len({threat for threat, _ in found}) == len(found)
    for threat, tested in found:
        files = [file.strip("` ") for file in tested.split(",")]
        for file in files:
            assert re.fullmatch(r"tests/[\w/]+\.(py|t\.sol)", file), f"{threat}: {file!r} is no test"
            assert re.search(r"^\s*(def|function) test", (ROOT / file).read_text(), re.MULTILINE), (
                f"{file} tests nothing"
            )


# --- commands ---


def lines_of(document: str) -> Iterator[str]:
    """The shell commands of its code blocks, a continued line as one; where a prompt is shown the rest is output."""
    for language, block in FENCE.findall(text_of(document)):
        if language in SHELLS:
            lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
            prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            yield from prompted or lines


def spoken(document: str) -> Iterator[str]:
    """Commands in running text: `agent ...`."""
    yield from re.findall(r"`(agent(?: [^`]*)?)`", FENCE.sub("", text_of(document)))


def words_of(line: str) -> list[str]:
    """The words of a command, without its comment, its environment and what it is piped to."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("|;&<>"):
            break
        words.append(word)
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    return words


def misread(line: str) -> str:
    """What `agent` says of a command line that it cannot read; empty if it can. Nothing is run."""
    command: Any = typer.main.get_command(app)
    for each in commands_of(command):
        each.callback = lambda **_: None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            # Asked for help, it reads every word and misses none that was left out.
            command.main([*normalise(words_of(line)[1:]), "--help"], prog_name="agent", standalone_mode=False)
    except typer.BadParameter:
        return ""  # a word like N that stands for a value
    except CommandError as error:
        return str(error.format_message())
    return ""


def commands_of(command: Any) -> Iterator[Any]:
    """A command and all below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands_of(inner)


COMMANDS = sorted(
    {line for document in DOCUMENTS for line in (*lines_of(document), *spoken(document)) if AGENT.match(line)}
)


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 3


@pytest.mark.parametrize("line", COMMANDS)
def test_every_agent_command_can_be_typed(line: str) -> None:
    assert misread(line) == ""


def test_a_command_that_cannot_be_typed_is_noticed() -> None:
    assert misread("HOLDFAST_KEY_FILE=key agent provider --stake 5 # so") == ""
    assert misread("agent provider --stake --quota 1GiB | cat") == ""
    assert "clinet" in misread("agent clinet store file")
    assert "--steak" in misread("agent provider --steak 5")
    assert "--bogus" in misread("agent client store file --bogus")


def test_options_in_running_text_exist() -> None:
    known = {"--help"}
    for command in commands_of(typer.main.get_command(app)):
        known.update(option for parameter in command.params for option in parameter.opts)
    scripts = "".join(path.read_text() for path in (ROOT / "scripts").iterdir() if path.is_file())
    named = {option for document in DOCUMENTS for option in re.findall(r"`(--[a-z][a-z-]+)", text_of(document))}
    assert {option for option in named if option not in known and f'"{option}"' not in scripts} == set()


def codes_told(text: str) -> list[tuple[str, str]]:
    """Exit codes and their meanings: rows of a table whose first column is headed so, or a sentence like `agent --help`'s."""
    found: list[tuple[str, str]] = []
    for table in re.findall(r"^\|[^|\n]*\bcode\b[^\n]*\n((?:\|[^\n]*\n?)+)", text, re.MULTILINE | re.IGNORECASE):
        found += re.findall(r"^\| *`?(\d+)`? *\| *([^|\n]*?) *\|", table, re.MULTILINE)
    for sentence in re.findall(r"Exit codes: ((?:\d+ [^,.]+[,.]\s*)+)", text):
        found += [(code, " ".join(meaning.split())) for code, meaning in re.findall(r"(\d+) ([^,.]+)", sentence)]
    return found


def test_exit_codes_are_those_of_the_errors() -> None:
    meant = [("0", "done"), *((str(code), meaning) for code, meaning in exit_codes())]
    table = "".join(f"| {code} | {meaning} |\n" for code, meaning in meant)
    assert codes_told(f"| exit code | meaning |\n|---|---|\n{table}") == meant
    assert codes_told(f"{EPILOGUE}.") == meant
    for document in DOCUMENTS:
        told = codes_told(text_of(document))
        assert set(told) <= set(meant), document
        assert len(told) in (0, len(meant), len(meant) - 1), f"{document} tells of some exit codes and not of others"
