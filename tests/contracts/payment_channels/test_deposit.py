"""PaymentChannels.deposit and depositWithPermit."""

from __future__ import annotations

from typing import Any

from tests.contracts.ground import Ground, fields, permit
from tests.contracts.payment_channels.conftest import DEPOSIT, Town


def test_anybody_adds_to_a_payers_pool(town: Town, token: Any) -> None:
    held = token.balanceOf(town.sponsor)
    receipt = town.channels.deposit(town.reader, 7, sender=town.sponsor)
    said = {"payer": town.reader.address, "from": town.sponsor.address, "amount": 7}
    assert fields(receipt, town.channels.Deposited) == [said]
    assert town.account(town.reader) == (DEPOSIT + 7, 0)
    assert held - token.balanceOf(town.sponsor) == 7


def test_a_permit_replaces_the_allowance(ground: Ground, town: Town, token: Any) -> None:
    channels, reader = town.channels, town.reader
    token.approve(channels, 0, sender=reader)
    ground.refused(token.ERC20InsufficientAllowance, channels.deposit, reader, 9, by=reader)
    signed = permit(token, reader, channels.address, 9, ground.now + 1_000)
    channels.depositWithPermit(reader, 9, *signed, sender=reader)
    assert town.account(reader) == (DEPOSIT + 9, 0)


def test_refuses_nothing_nobody_and_too_much(ground: Ground, town: Town) -> None:
    channels, reader = town.channels, town.reader
    zero = "0x0000000000000000000000000000000000000000"
    ground.refused(channels.PaymentChannels_ZeroAmount, channels.deposit, reader, 0, by=reader)
    ground.refused(channels.PaymentChannels_ZeroAddress, channels.deposit, zero, 1, by=reader)
    room = 2**128 - 1 - DEPOSIT
    ground.refused(
        channels.PaymentChannels_AmountTooLarge,
        channels.deposit,
        reader,
        room + 1,
        by=reader,
        amount=room + 1,
        room=room,
    )
