"""PaymentChannels.reclaim: what an expired lane kept goes back."""

from __future__ import annotations

from tests.contracts.ground import Ground, fields
from tests.contracts.payment_channels.conftest import DEPOSIT, Town


def test_goes_back_to_the_pool_and_to_the_grant(ground: Ground, town: Town) -> None:
    channels, lane = town.channels, town.lane(payer=town.sponsor, expiry=ground.now + 100)
    channels.openLaneGranted(*town.opening(lane, 60), town.grant(60), sender=town.cache)
    channels.redeem([town.voucher(lane, 20)], town.cache, sender=town.cache)
    error = channels.PaymentChannels_LaneLives
    ground.refused(error, channels.reclaim, lane.as_abi(), by=town.reader, expiry=lane.expiry)
    ground.pass_until(lane.expiry)

    receipt = channels.reclaim(lane.as_abi(), sender=town.reader)

    said = {"id": lane.id, "payer": town.sponsor.address, "amount": 40}
    assert fields(receipt, channels.Reclaimed) == [said]
    assert (town.books(lane), town.account(town.sponsor)) == ((0, 20), (DEPOSIT - 20, 0))
    assert channels.grantedTo(town.sponsor, town.reader, 0) == 20
    ground.refused(channels.PaymentChannels_NothingToReclaim, channels.reclaim, lane.as_abi(), by=town.reader)
