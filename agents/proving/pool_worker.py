"""A worker process: makes its maker, then answers one request a line on stdin with one line on stdout.

It ends at once when stdin does, in the middle of a proof too: it never outlives the agent that started it.
"""

import base64
import json
import os
import pickle
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from agents.proving.child import NICE
from agents.proving.executor import Maker, Recipe
from agents.proving.wire import packed


def _own_stdout() -> TextIO:
    """What the parent reads; whatever a library prints goes elsewhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _read(requests: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _answer(maker: Maker, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"id": request["id"], "proof": maker.prove(request["input"]).as_json()}
    except Exception as error:
        return {"id": request["id"], "error": packed(error)}


def main() -> None:
    """Serve until stdin ends."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the agent's, which ends us in its own time
    answers, requests = _own_stdout(), queue.SimpleQueue[str]()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()

    def say(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    try:
        recipe: Recipe = pickle.loads(base64.b64decode(sys.argv[1]))
        maker = recipe.make(Path(recipe.key))
    except Exception as error:
        say({"error": packed(error)})
        return
    say({"ready": True})
    while True:
        say(_answer(maker, json.loads(requests.get())))


if __name__ == "__main__":
    main()
