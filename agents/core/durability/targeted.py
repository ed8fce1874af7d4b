"""Attacks on chosen nodes: Vault's bound (Lemma 4.2, §4.4.2) and the exact share of objects lost.

The chunks of one object cannot be told from any others, so an attacker who takes down groups hits chunks at random.
"""

from math import comb, exp, expm1, inf, lgamma, log, log1p

from agents.core.errors import Misuse


def bound(chunks_needed: int, spare_chunks: int, objects: int, nodes_attacked: int, fragments_per_node: int) -> float:
    """Upper bound on the probability that an attack loses an object (Lemma 4.2, equation 2).

    1 - (1 - prod_{i=1..R} (K + R - i) / (Omega (K + R) - i))^C(Phi mu, R + 1), with K ``chunks_needed``, R ``spare_chunks``,
    Omega ``objects``, Phi ``nodes_attacked`` and mu ``fragments_per_node``: any R + 1 of the chunks reached may be one
    object's. Computed in logarithms: a bound of 1e-300 is as good as one of a half. Raises Misuse.
    """
    _counts(1, chunks_needed=chunks_needed, objects=objects, fragments_per_node=fragments_per_node)
    _counts(0, spare_chunks=spare_chunks, nodes_attacked=nodes_attacked)
    reached = nodes_attacked * fragments_per_node
    if reached <= spare_chunks:
        return 0.0
    chunks = chunks_needed + spare_chunks
    together = sum(log((chunks - i) / (objects * chunks - i)) for i in range(1, spare_chunks + 1))
    if together >= 0.0:
        return 1.0
    ways = _log_comb(reached, spare_chunks + 1)
    spared = log(-log1p(-exp(together))) if together > -700 else together
    return -expm1(-exp(min(ways + spared, 700.0)))


def groups_reached(share: float, members: int, nodes: int) -> float:
    """Groups whose members, ``members`` of ``nodes`` nodes each, together are ``share`` of all nodes; figure 6b's x-axis.

    T with share = 1 - (1 - members / nodes)^T; inf for a share of 1. Raises Misuse.
    """
    _counts(1, members=members, nodes=nodes)
    if not 0 <= share <= 1 or members > nodes:
        raise Misuse(f"Groups of {members} cannot be {share} of {nodes} nodes", "", "Choose a share from 0 to 1.")
    if members == nodes:
        return 1.0 if share else 0.0
    return log1p(-share) / log1p(-members / nodes) if share < 1 else inf


def share_attacked(groups: int, members: int, nodes: int) -> float:
    """Share of the nodes that are attacked to take down so many groups: 1 - (1 - members / nodes)^groups. Raises Misuse."""
    _counts(0, groups=groups)
    _counts(1, members=members, nodes=nodes)
    if members >= nodes:
        return 1.0 if groups else 0.0
    return -expm1(groups * log1p(-members / nodes))


def lost(groups: int, objects: int, chunks: int, chunks_needed: int) -> float:
    """Probability that one of ``objects`` is lost when ``groups`` of all chunks, drawn at random, are.

    Exact: more than n_out - k_out of its n_out chunks are among them, hypergeometric. Raises Misuse.
    """
    _counts(1, objects=objects, chunks=chunks, chunks_needed=chunks_needed)
    _counts(0, groups=groups)
    if chunks_needed > chunks or groups > objects * chunks:
        raise Misuse(
            f"{groups} of {objects} x {chunks} chunks cannot be attacked, or {chunks_needed} of them cannot be needed"
        )
    others = objects * chunks - chunks
    fatal = range(max(chunks - chunks_needed + 1, groups - others), min(chunks, groups) + 1)
    whole = comb(objects * chunks, groups) if groups < 1_000 else None
    if whole is not None:
        return sum(comb(chunks, hit) * comb(others, groups - hit) for hit in fatal) / whole
    scale = _log_comb(objects * chunks, groups)
    return min(1.0, sum(exp(_log_comb(chunks, h) + _log_comb(others, groups - h) - scale) for h in fatal))


def lost_at(share: float, *, members: int, nodes: int, objects: int, chunks: int, chunks_needed: int) -> float:
    """Share of objects lost when ``share`` of all nodes are attacked, as figure 6b plots it. Raises Misuse."""
    reached = groups_reached(share, members, nodes)
    return lost(min(objects * chunks, round(min(reached, 1e15))), objects, chunks, chunks_needed)


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _counts(least: int, **counts: int) -> None:
    for name, count in counts.items():
        if count < least:
            raise Misuse(f"{name.replace('_', ' ').capitalize()} cannot be {count}", "", f"Choose {least} or more.")
