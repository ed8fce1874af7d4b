"""A log file per agent, in which no key and no capability ever appears.

Secrets are hidden twice: every value an agent was given is registered with `hide`, and whatever looks like a capability
is struck out by pattern even where nobody registered it. (Keys have no pattern of their own: 32 hexadecimal bytes are
also a transaction hash, so they are registered.)
"""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import urlsplit

LOG_FILE = "agent.log"
"""Name of the log inside an agent's data directory."""

MAX_BYTES = 8 * 1024 * 1024
"""Size at which the log is rotated; one earlier file is kept, so an agent's logs stay below twice this."""

HIDDEN = "[hidden]"
CAPABILITY = re.compile(r"hold1[0-9A-Za-z]{8,}")

_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Strike ``secret`` out of everything logged from now on, with and without a leading 0x, in either case."""
    bare = secret.removeprefix("0x")
    if len(bare) >= 8:  # shorter strings would blot out ordinary words
        _secrets.update({bare, bare.lower(), bare.upper()})


def hide_url(url: str) -> None:
    """Strike out what of an endpoint's ``url`` may be a key to it: user, password, path and query."""
    parts = urlsplit(url)
    for secret in (parts.username, parts.password, *parts.path.split("/"), parts.query):
        hide(secret or "")


def hidden(text: str) -> str:
    """``text`` without any registered secret and without anything that looks like a capability."""
    for secret in _secrets:
        text = text.replace(secret, HIDDEN)
    return CAPABILITY.sub(HIDDEN, text)


class Discreet(logging.Formatter):
    """Formats a record, traceback included, and strikes secrets out of the whole text."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text, secrets hidden."""
        return hidden(super().format(record))


@contextmanager
def logged(data_dir: Path, name: str, verbose: bool = False) -> Iterator[Path]:
    """Log everything below the ``agents`` logger to ``data_dir/agent.log`` while the block runs; yields the file.

    With ``verbose`` the same lines go to stderr too. The file is readable by its owner alone.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / LOG_FILE
    path.touch(mode=0o600, exist_ok=True)
    formatter = Discreet(f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s")
    handlers: list[logging.Handler] = [RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")]
    if verbose:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger("agents")
    before = root.level
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    try:
        yield path
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before)
