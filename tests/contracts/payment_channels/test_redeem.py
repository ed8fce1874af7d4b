"""PaymentChannels.redeem: what vouchers are worth, one by one and together."""

from __future__ import annotations

from typing import Any

from agents.core.channels.lanes import Domain, Refusal, Voucher
from agents.net.signing import digest_signing
from tests.contracts.ground import Ground, fields
from tests.contracts.payment_channels.conftest import DEPOSIT, Town


def refused(ground: Ground, town: Town, why: Refusal, *vouchers: Any, by: Any = None) -> None:
    by = by or town.cache
    error = town.channels.PaymentChannels_NothingRedeemed
    ground.refused(error, town.channels.redeem, list(vouchers), by, by=by, why=why)


def test_pays_what_was_signed_beyond_what_was_paid(town: Town, token: Any) -> None:
    lane, channels, held = town.lane(), town.channels, token.balanceOf(town.cache)
    channels.openLane(lane.as_abi(), 50, sender=town.reader)
    for amount, paid in ((20, 20), (45, 25)):
        assert channels.claimable(lane.as_abi(), amount) == paid
        receipt = channels.redeem([town.voucher(lane, amount)], town.cache, sender=town.cache)
        assert fields(receipt, channels.Redeemed) == [
            {
                "id": lane.id, "payer": town.reader.address, "cache": town.cache.address,
                "paid": paid, "redeemed": amount, "to": town.cache.address,
            }
        ]  # fmt: skip
        assert fields(receipt, token.Transfer) == [{"from": channels.address, "to": town.cache.address, "value": paid}]
    assert token.balanceOf(town.cache) - held == 45
    assert town.books(lane) == (5, 45)


def test_a_readers_own_pool_pays_what_the_lane_does_not_keep(town: Town) -> None:
    lane = town.lane()
    town.channels.redeem([town.voucher(lane, 30)], town.cache, sender=town.cache)
    assert (town.books(lane), town.account(town.reader)) == ((0, 30), (DEPOSIT - 30, 0))


def test_a_batch_is_one_transfer_and_passes_over_what_is_worth_nothing(town: Town, token: Any) -> None:
    ours, sponsored, theirs = town.lane(), town.lane(payer=town.sponsor), town.lane(cache=town.other_cache)
    town.channels.openLaneGranted(*town.opening(sponsored, 50), town.grant(50), sender=town.cache)
    batch = [
        town.voucher(ours, 10),
        town.voucher(theirs, 10),
        town.voucher(sponsored, 20),
        town.voucher(sponsored, 25, by=town.sponsor),
        town.voucher(ours, 9),
    ]
    receipt = town.channels.redeem(batch, town.other_cache, sender=town.cache)
    assert [said["paid"] for said in fields(receipt, town.channels.Redeemed)] == [10, 20]
    assert fields(receipt, town.channels.VoucherRefused) == [
        {"id": theirs.id, "why": Refusal.NOT_CACHE},
        {"id": sponsored.id, "why": Refusal.BAD_SIGNATURE},
        {"id": ours.id, "why": Refusal.NOTHING_DUE},
    ]
    assert [said["value"] for said in fields(receipt, token.Transfer)] == [30]


def test_refuses_vouchers_of_another_chain_contract_lane_signer_or_amount(ground: Ground, town: Town) -> None:
    lane = town.lane()
    town.channels.openLane(lane.as_abi(), 50, sender=town.reader)
    for domain in (Domain(1, town.domain.contract), Domain(town.domain.chain_id, town.cache.address)):
        key = bytes.fromhex(town.reader.private_key.removeprefix("0x"))
        elsewhere = digest_signing(key)(Voucher(lane, 10).digest(domain))
        refused(ground, town, Refusal.BAD_SIGNATURE, (lane.as_abi(), 10, elsewhere))
    signature = town.voucher(lane, 10)[2]
    refused(ground, town, Refusal.BAD_SIGNATURE, (town.lane(expiry=town.expiry + 1).as_abi(), 10, signature))
    refused(ground, town, Refusal.BAD_SIGNATURE, (lane.as_abi(), 11, signature))
    refused(ground, town, Refusal.BAD_SIGNATURE, (lane.as_abi(), 10, signature[:64]))
    refused(ground, town, Refusal.BAD_SIGNATURE, town.voucher(lane, 10, by=town.sponsor))
    refused(ground, town, Refusal.NOT_CACHE, town.voucher(lane, 10), by=town.other_cache)
    refused(ground, town, Refusal.NOTHING_HELD, town.voucher(town.lane(payer=town.sponsor), 10))
    refused(ground, town, Refusal.NONE)
    town.channels.redeem([town.voucher(lane, 10)], town.cache, sender=town.cache)
    refused(ground, town, Refusal.NOTHING_DUE, town.voucher(lane, 10))


def test_above_the_deposit_it_pays_the_deposit(ground: Ground, town: Town) -> None:
    lane = town.lane()
    town.channels.openLane(lane.as_abi(), 50, sender=town.reader)
    town.channels.redeem([town.voucher(lane, 2**128 - 1)], town.cache, sender=town.cache)
    assert (town.books(lane), town.account(town.reader)) == ((0, DEPOSIT), (0, 0))
    refused(ground, town, Refusal.NOTHING_HELD, town.voucher(lane, 2**128 - 1))


def test_an_expired_lane_pays_nothing(ground: Ground, town: Town) -> None:
    lane = town.lane(expiry=ground.now + 100)
    town.channels.openLane(lane.as_abi(), 50, sender=town.reader)
    ground.pass_until(lane.expiry - 1)
    refused(ground, town, Refusal.EXPIRED, town.voucher(lane, 10))


def test_refuses_to_pay_where_tokens_would_be_nobodys(ground: Ground, town: Town, token: Any) -> None:
    zero = "0x0000000000000000000000000000000000000000"
    voucher = town.voucher(town.lane(), 10)
    for nobody in (zero, town.channels.address, token.address):
        error = town.channels.PaymentChannels_BadRecipient
        ground.refused(error, town.channels.redeem, [voucher], nobody, by=town.cache, to=nobody)
