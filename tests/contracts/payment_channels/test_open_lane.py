"""PaymentChannels.openLane, openLaneOf and openLaneGranted."""

from __future__ import annotations

from agents.core.channels.lanes import Lane
from tests.contracts.ground import Ground, fields
from tests.contracts.payment_channels.conftest import DEPOSIT, Town


def opened(town: Town, lane: Lane, reserved: int) -> dict[str, object]:
    """What the event says."""
    return {"id": lane.id, "payer": lane.payer, "cache": lane.cache, "reserved": reserved}


def test_a_payer_keeps_a_part_of_its_deposit_for_a_cache(ground: Ground, town: Town) -> None:
    lane = town.lane()
    receipt = town.channels.openLane(lane.as_abi(), 30, sender=town.reader)
    (said,) = fields(receipt, town.channels.LaneOpened)
    assert [str(part).lower() for part in said.pop("lane")] == [str(part).lower() for part in lane.as_abi()]
    assert said == opened(town, lane, 30)
    assert town.books(lane) == (30, 0)
    assert town.account(town.reader) == (DEPOSIT - 30, 30)
    ground.refused(
        town.channels.PaymentChannels_NotPayer, town.channels.openLane, lane.as_abi(), 40,
        by=town.cache, payer=town.reader.address, caller=town.cache.address,
    )  # fmt: skip


def test_the_cache_opens_a_lane_as_its_reader_signed(ground: Ground, town: Town) -> None:
    lane, channels = town.lane(), town.channels
    channels.openLaneOf(*town.opening(lane, 30), sender=town.cache)
    channels.openLaneOf(*town.opening(lane, 50), sender=town.cache)
    assert town.books(lane) == (50, 0)
    ground.refused(
        channels.PaymentChannels_NothingToReserve, channels.openLaneOf, *town.opening(lane, 50),
        by=town.cache, amount=50, held=50,
    )  # fmt: skip
    forged = (*town.opening(lane, 60)[:2], town.opening(lane, 61)[2])
    ground.refused(
        channels.PaymentChannels_NotReader, channels.openLaneOf, *forged, by=town.cache, reader=town.reader.address
    )


def test_a_sponsors_grant_opens_lanes_up_to_its_limit(ground: Ground, town: Town) -> None:
    channels, sponsor = town.channels, town.sponsor
    first, second = town.lane(payer=sponsor), town.lane(payer=sponsor, cache=town.other_cache)
    channels.openLaneGranted(*town.opening(first, 60), town.grant(100), sender=town.cache)
    assert town.account(sponsor) == (DEPOSIT - 60, 60)
    assert channels.grantedTo(sponsor, town.reader, 0) == 60
    ground.refused(
        channels.PaymentChannels_GrantExceeded, channels.openLaneGranted, *town.opening(second, 41), town.grant(100),
        by=town.cache, wanted=101, limit=100,
    )  # fmt: skip
    ground.refused(
        channels.PaymentChannels_NotSponsor, channels.openLaneGranted, *town.opening(second, 41),
        (200, *town.grant(100)[1:]), by=town.cache, sponsor=sponsor.address,
    )  # fmt: skip
    ground.refused(
        channels.PaymentChannels_Sponsored, channels.openLaneOf, *town.opening(second, 41),
        by=town.cache, payer=sponsor.address, reader=town.reader.address,
    )  # fmt: skip
    channels.openLaneGranted(*town.opening(second, 40), town.grant(100), sender=town.cache)


def test_refuses_more_than_the_pool_and_lanes_that_are_over(ground: Ground, town: Town) -> None:
    channels, reader = town.channels, town.reader
    ground.refused(
        channels.PaymentChannels_InsufficientPool, channels.openLane, town.lane().as_abi(), DEPOSIT + 1,
        by=reader, pool=DEPOSIT, wanted=DEPOSIT + 1,
    )  # fmt: skip
    ground.refused(
        channels.PaymentChannels_WrongEpoch, channels.openLane, town.lane(epoch=1).as_abi(), 1,
        by=reader, given=1, current=0,
    )  # fmt: skip
    past = ground.now
    ground.refused(
        channels.PaymentChannels_LaneExpired, channels.openLane, town.lane(expiry=past).as_abi(), 1,
        by=reader, expiry=past,
    )  # fmt: skip
    lane = town.lane(payer=town.sponsor)
    ground.refused(
        channels.PaymentChannels_GrantOutlived, channels.openLaneGranted, *town.opening(lane, 1),
        town.grant(100, town.expiry - 1), by=reader, laneExpiry=town.expiry, grantExpiry=town.expiry - 1,
    )  # fmt: skip
