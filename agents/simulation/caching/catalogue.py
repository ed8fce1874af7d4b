"""Policies by the names that people type."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from agents.core.admission.controller import Controller, Lengths, Rules
from agents.core.admission.experts import Expert
from agents.core.admission.model import Model
from agents.core.admission.objectives import Objective
from agents.core.errors import Misuse
from agents.kernels.caches import ORDERS
from agents.simulation.caching.adaptsize import AdaptSize
from agents.simulation.caching.darwin import Darwin
from agents.simulation.caching.mapping import DirectMapping
from agents.simulation.caching.policies import Eviction, HillClimbing, Percentile, Policy, Static

STATIC = "static:"
WINDOWS = {"percentile": 1, "hillclimbing": 1, "adaptsize": 5}
"""Of Darwin's: what suits each best, on other seeds than the README's."""


@dataclass(frozen=True)
class Options:
    """What policies that learn are given."""

    objective: Objective
    lengths: Lengths
    """Darwin's."""
    model: Callable[[], Model]
    """Called once where a policy needs one. May raise."""
    seed: int = 0
    """Of policies that draw lots."""

    def window(self, name: str) -> int:
        """Requests after which the policy of that name decides anew."""
        return WINDOWS[name] * self.lengths.window


def _makers(options: Options) -> dict[str, Callable[[], Policy]]:
    """Each name, and what makes the policy."""
    objective, lengths = options.objective, options.lengths
    return {
        **{order: partial(Eviction, order) for order in ORDERS},
        "percentile": lambda: Percentile(options.window("percentile")),
        "hillclimbing": lambda: HillClimbing(options.window("hillclimbing"), objective, options.seed),
        "adaptsize": partial(AdaptSize, options.window("adaptsize"), False, options.seed),
        "adaptsize-fill": partial(AdaptSize, options.window("adaptsize"), True, options.seed),
        "mapping": lambda: DirectMapping(options.model(), objective, lengths.window, lengths.history),
        "darwin-paper": lambda: Darwin(Controller(options.model(), lengths, Rules(objective, False)), "darwin-paper"),
        "darwin": lambda: Darwin(Controller(options.model(), lengths, Rules(objective))),
    }


NAMES = (*ORDERS, "percentile", "hillclimbing", "adaptsize", "adaptsize-fill", "mapping", "darwin-paper", "darwin")
"""Of all policies but static experts."""


def policies_named(text: str, options: Options) -> list[Policy]:
    """Of names with spaces between, such as ``lru static:3,500KiB darwin``; ``all`` is every one of NAMES.

    Raises Misuse, and whatever getting the model raises.
    """
    words = [word for each in text.split() for word in (NAMES if each == "all" else (each,))]
    if not words:
        raise Misuse("no policy is named", "", f"Name some of {' '.join(NAMES)}, or {STATIC}F,SIZE.")
    if twice := sorted({word for word in words if words.count(word) > 1}):
        raise Misuse(f"{', '.join(twice)} is named twice", "", "Name each policy once.")
    once = Options(options.objective, options.lengths, cache(options.model), options.seed)
    return [_named(word, once) for word in words]


def _named(word: str, options: Options) -> Policy:
    if word.startswith(STATIC):
        return Static(Expert.parse(word.removeprefix(STATIC)))
    makers = _makers(options)
    if word not in makers:
        raise Misuse(f"there is no policy named {word!r}", "", f"Take some of {' '.join(NAMES)}, or {STATIC}F,SIZE.")
    return makers[word]()
