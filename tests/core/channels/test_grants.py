"""A grant as a line of text: it survives, and every typo is noticed."""

import pytest

from agents.core.channels.grants import PREFIX, grant_text, parse_grant
from agents.core.errors import VoucherInvalid
from tests.core.channels.actors import DOMAIN, grant

GRANT = grant(10**20)
LINE = grant_text(DOMAIN, GRANT)


def test_a_grant_survives_the_way() -> None:
    domain, found = parse_grant(f"  {LINE}\n")
    assert (domain.chain_id, domain.contract.lower()) == (DOMAIN.chain_id, DOMAIN.contract.lower())
    assert found == GRANT


@pytest.mark.parametrize("place", range(len(PREFIX), len(LINE), 7))
def test_every_typo_is_noticed(place: int) -> None:
    other = "a" if LINE[place] != "a" else "b"
    with pytest.raises(VoucherInvalid):
        parse_grant(LINE[:place] + other + LINE[place + 1 :])


@pytest.mark.parametrize("text", ["", PREFIX, "hold1abc", LINE[:-3], LINE.upper(), LINE + "aa", PREFIX + "a" * 9000])
def test_what_is_no_grant_is_refused(text: str) -> None:
    with pytest.raises(VoucherInvalid):
        parse_grant(text)
