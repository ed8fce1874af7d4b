"""Every attack has a mutation that lets it succeed; a few are tried here, all of them by scripts/attack_mutations."""

from scripts.audit_tools.attacks import Mutation, attacks, attempts, mutations
from scripts.audit_tools.runs import Fate

TRIED = {
    "test_a_clients_sybils_gain_nothing_by_failing_what_a_stranger_extended",
    "test_errors_that_add_up_to_nothing_are_found",
    "test_nobody_withdraws_twice_from_inside_a_withdrawal",
}
"""One of the market, one of the verifier, one of the vault."""


def test_every_attack_has_its_mutation() -> None:
    names = [row.attack for row in mutations()]
    assert sorted(names) == sorted(attacks())
    assert len(set(names)) == len(names) > 80


def test_every_mutation_applies_to_the_contracts_as_they_are() -> None:
    for row in mutations():
        mutant = row.mutant()
        assert mutant.end > mutant.start
        assert row.was != row.now


def test_attacks_succeed_without_their_defences() -> None:
    found: dict[str, Fate] = {}

    def report(row: Mutation, fate: Fate) -> None:
        found[row.attack] = fate

    attempts([row for row in mutations() if row.attack in TRIED], 1, report)
    assert found == dict.fromkeys(TRIED, Fate.KILLED)
