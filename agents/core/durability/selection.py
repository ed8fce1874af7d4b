"""How many nodes a rule of random selection picks for a fragment, on average (Vault §4.3.2, Algorithm 2).

A node is picked with a probability that falls with d, its distance from the chunk's hash in mean spacings of the nodes on the
ring. For N nodes at random places the mean number picked is the integral of 2 P(d) over d from 0 to N / 2, both sides of the
ring, taken here in closed form.
"""

from math import expm1, log, log2

from agents.core.errors import Misuse


def picked_as_printed(members: int, nodes: int) -> float:
    """Nodes that the paper's rule picks, r < R 2^(hashlen - d) with d one more than the distance: not R, but 2 log2 R or so.

    P(d) = min(1, R 2^-(d + 1)). Raises Misuse.
    """
    _check(members, nodes)
    half = nodes / 2
    certain = min(half, max(0.0, log2(members) - 1))
    tail: float = members * 2.0 ** -(certain + 1) * -expm1(-(half - certain) * log(2)) / log(2)
    return 2 * (certain + tail)


def picked_exponentially(members: int, nodes: int) -> float:
    """Nodes that are picked with P(d) = exp(-2 d / R): R, but for what the ring is too short for. Raises Misuse."""
    _check(members, nodes)
    return -members * expm1(-nodes / members)


def _check(members: int, nodes: int) -> None:
    if not 1 <= members <= nodes:
        raise Misuse(
            f"{members} of {nodes} nodes cannot be picked", "", "Choose at least 1, and no more than there are."
        )
