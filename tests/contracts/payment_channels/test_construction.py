"""What channels are made of, and what they are not made of."""

from __future__ import annotations

from typing import Any

from agents.core.channels.lanes import DOMAIN_NAME, DOMAIN_VERSION
from tests.contracts.ground import Ground
from tests.contracts.payment_channels.conftest import CHALLENGE, Town


def test_says_its_token_challenge_and_domain(town: Town, token: Any) -> None:
    channels = town.channels
    assert (channels.token(), channels.challengeSeconds()) == (token.address, CHALLENGE)
    domain = channels.eip712Domain()
    assert (domain.name, domain.version) == (DOMAIN_NAME, DOMAIN_VERSION)
    assert (domain.chainId, domain.verifyingContract) == (town.domain.chain_id, town.domain.contract)


def test_refuses_no_token_and_challenges_too_short_or_long(ground: Ground, town: Town, token: Any) -> None:
    kind, channels = ground.contracts.PaymentChannels, town.channels
    zero = "0x0000000000000000000000000000000000000000"
    ground.not_deployed(channels.PaymentChannels_ZeroAddress, kind, zero, CHALLENGE)
    for bad in (59, 30 * 86_400 + 1):
        ground.not_deployed(
            channels.PaymentChannels_BadChallenge, kind, token, bad, challengeSeconds=bad, least=60, most=30 * 86_400
        )
