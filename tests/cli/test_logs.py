"""No key and no capability ever reaches a log."""

import logging
from pathlib import Path

from agents.core.dataset.capability import Capability
from agents.runtime import logs

KEY = "0x" + "5e" * 32


def test_secrets_are_struck_out(tmp_path: Path) -> None:
    capability = str(Capability(bytes(range(32)), bytes(range(32))))
    logs.hide(KEY)
    with logs.logged(tmp_path, "provider") as path:
        log = logging.getLogger("agents.tests")
        log.info("the key is %s, or %s, and the file %s", KEY, KEY[2:].upper(), capability)
        try:
            raise ValueError(f"failed with {KEY}")
        except ValueError:
            log.exception("a traceback of %s", capability)
    text = path.read_text()
    assert text.count(logs.HIDDEN) >= 5
    for secret in (KEY[2:], KEY[2:].upper(), capability, capability[5:]):
        assert secret not in text
    assert "the key is" in text
    assert path.stat().st_mode & 0o077 == 0


def test_nothing_is_logged_outside(tmp_path: Path) -> None:
    with logs.logged(tmp_path, "validator") as path:
        pass
    logging.getLogger("agents.tests").warning("after it closed")
    assert path.read_text() == ""


def test_the_key_in_an_endpoints_url_is_struck_out() -> None:
    url = "https://someone:correct-horse@rpc.example.org/v3/0f1e2d3c4b5a69788796?token=let-me-in-please"
    logs.hide_url(url)
    said = logs.hidden(f"POST {url}")
    assert "rpc.example.org/v3/" in said
    for secret in ("correct-horse", "0f1e2d3c4b5a69788796", "let-me-in-please"):
        assert secret not in said
