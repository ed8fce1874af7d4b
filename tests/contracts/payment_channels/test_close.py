"""PaymentChannels.close and withdraw: how a payer gets the rest back."""

from __future__ import annotations

from typing import Any

from agents.core.channels.lanes import Refusal
from tests.contracts.ground import Ground, fields
from tests.contracts.payment_channels.conftest import CHALLENGE, DEPOSIT, Town


def test_after_the_challenge_the_payer_takes_what_caches_left(ground: Ground, town: Town, token: Any) -> None:
    channels, reader, lane = town.channels, town.reader, town.lane()
    channels.openLane(lane.as_abi(), 60, sender=reader)
    ground.refused(channels.PaymentChannels_NotClosing, channels.withdraw, reader, by=reader)
    receipt = channels.close(sender=reader)
    closes_at = ground.now + CHALLENGE
    assert fields(receipt, channels.Closing) == [{"payer": reader.address, "closesAt": closes_at}]
    error = channels.PaymentChannels_Closing
    for method, args, by in (
        (channels.withdraw, (reader,), reader),
        (channels.close, (), reader),
        (channels.openLane, (lane.as_abi(), 70), reader),
        (channels.deposit, (reader, 1), town.sponsor),
    ):
        ground.refused(error, method, *args, by=by, closesAt=closes_at)
    channels.redeem([town.voucher(lane, 25)], town.cache, sender=town.cache)
    held = token.balanceOf(town.sponsor)
    ground.pass_until(closes_at)

    receipt = channels.withdraw(town.sponsor, sender=reader)

    said = {"payer": reader.address, "to": town.sponsor.address, "amount": DEPOSIT - 25, "nextEpoch": 1}
    assert fields(receipt, channels.Withdrawn) == [said]
    assert token.balanceOf(town.sponsor) - held == DEPOSIT - 25
    assert town.account(reader) == (0, 0)


def test_lanes_of_an_earlier_epoch_are_void(ground: Ground, town: Town) -> None:
    channels, reader, old = town.channels, town.reader, town.lane()
    channels.openLane(old.as_abi(), 60, sender=reader)
    channels.close(sender=reader)
    ground.pass_until(ground.now + CHALLENGE)
    channels.withdraw(reader, sender=reader)
    channels.deposit(reader, 90, sender=reader)
    error = channels.PaymentChannels_NothingRedeemed
    ground.refused(error, channels.redeem, [town.voucher(old, 60)], town.cache, by=town.cache, why=Refusal.OLD_EPOCH)
    new = town.lane(epoch=1)
    channels.redeem([town.voucher(new, 60)], town.cache, sender=town.cache)
    assert town.account(reader) == (30, 0)


def test_refuses_to_close_what_is_empty_and_to_pay_nobody(ground: Ground, town: Town, token: Any) -> None:
    channels = town.channels
    ground.refused(channels.PaymentChannels_NothingToWithdraw, channels.close, by=town.cache)
    channels.close(sender=town.reader)
    ground.pass_until(ground.now + CHALLENGE)
    zero = "0x0000000000000000000000000000000000000000"
    for nobody in (zero, channels.address, token.address):
        ground.refused(channels.PaymentChannels_BadRecipient, channels.withdraw, nobody, by=town.reader, to=nobody)
