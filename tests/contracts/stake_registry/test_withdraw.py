"""StakeRegistry.withdraw: the only way tokens leave."""

from __future__ import annotations

from typing import Any

from agents.core.units import TOKEN
from tests.contracts.ground import Ground, fields
from tests.examples import STAKES


def test_sends_all_credit_wherever_its_owner_says(ground: Ground, registry: Any, token: Any) -> None:
    host, to = ground.hosts[0], ground.validator
    registry.unstake(7 * TOKEN, sender=host)
    ground.pass_until(ground.now + STAKES.unbonding_seconds)
    registry.collectUnbonded(sender=host)
    owed, held = registry.liabilities(), token.balanceOf(to)

    receipt = registry.withdraw(to, sender=host)

    assert fields(receipt, registry.Withdrawn) == [{"account": host.address, "to": to.address, "amount": 7 * TOKEN}]
    assert token.balanceOf(to) - held == 7 * TOKEN == owed - registry.liabilities()
    assert ground.credit(host) == 0
    ground.refused(registry.StakeRegistry_NothingToWithdraw, registry.withdraw, to, by=host)


def test_refuses_to_send_where_tokens_would_be_nobodys(ground: Ground, registry: Any, token: Any) -> None:
    zero = "0x0000000000000000000000000000000000000000"
    for nobody in (zero, registry.address, token.address):
        ground.refused(registry.StakeRegistry_BadRecipient, registry.withdraw, nobody, by=ground.hosts[0], to=nobody)
