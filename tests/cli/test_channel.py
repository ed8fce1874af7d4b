"""`agent client channel`: money in, a grant, money out, and every way to type it wrongly."""

import json
from dataclasses import replace

import pytest
from eth_account import Account

from agents.chain.channels import find_channels
from agents.core.channels.grants import PREFIX, parse_grant
from agents.core.channels.lanes import Lane, Opening, SignedOpening
from agents.core.units import TOKEN
from agents.net.signing import AccountSigner
from tests.cli.conftest import Agent
from tests.cli.town import Town

CID = "bafyreid3kwqhiqtnbeglwxlz4z7ebpxngss6ahfmdbpxwj4nbck7iiybyq"


def facts(agent: Agent, *words: str) -> dict[str, object]:
    done = agent("client", "channel", *words, "--json")
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


def test_money_goes_in_once_and_comes_out_after_the_challenge(agent: Agent, client: str, town: Town) -> None:
    assert facts(agent, "status")["free"] == "0"
    assert facts(agent, "deposit", "5") == facts(agent, "status") | {"payer": client, "free": str(5 * TOKEN)}
    assert facts(agent, "deposit", "5")["free"] == str(5 * TOKEN)  # typed again: it is there
    assert facts(agent, "deposit", "7")["free"] == str(7 * TOKEN)
    early = agent("client", "channel", "withdraw")
    assert early.code == 2 and "is not closing" in early.err and "agent client channel close" in early.err
    closing = facts(agent, "close")
    assert closing["closesAt"] and facts(agent, "close")["closesAt"] == closing["closesAt"]
    early = agent("client", "channel", "withdraw")
    assert early.code == 2 and "too early" in early.err
    more = agent("client", "channel", "deposit", "8")
    assert more.code == 2 and "is being taken out" in more.err
    town.later(61)
    assert facts(agent, "withdraw")["paid"] == str(7 * TOKEN)
    assert facts(agent, "status")["free"] == "0"
    nothing = agent("client", "channel", "close")
    assert nothing.code == 2 and "There is no deposit" in nothing.err


def test_what_expired_lanes_keep_is_taken_back_before_more_is_put_in(
    agent: Agent, client: str, key: str, town: Town
) -> None:
    facts(agent, "deposit", "5")
    channels = town.do(find_channels(town.network.rpc, town.network.deployment))
    signer, cache = AccountSigner(Account.from_key(key)), town.hosts[0].actor
    over = Lane(client, client, cache.address, 0, town.now() + 600)
    for lane, amount in ((over, 3 * TOKEN), (replace(over, expiry=over.expiry + 10**6), TOKEN)):
        opening = Opening(lane, amount)
        signed = SignedOpening(opening, signer.sign_digest(opening.digest(channels.domain)))
        town.do(cache.sender.send(channels.open_signed(signed), f"open:{lane.id.hex()}"))
    before = facts(agent, "status")
    assert (before["free"], before["kept"]) == (str(TOKEN), str(4 * TOKEN))
    town.later(600)
    after = facts(agent, "deposit", "4")
    assert (after["free"], after["kept"]) == (str(4 * TOKEN), str(TOKEN)), "the other lane lives"
    assert town.do(cache.token.balance_of(client)) == 995 * TOKEN, "nothing was put in"
    assert facts(agent, "deposit", "5")["free"] == str(5 * TOKEN)


def test_anybody_may_fill_up_anybodys_deposit(agent: Agent, client: str) -> None:
    other = str(Account.create().address)
    assert facts(agent, "deposit", "2", "--of", other)["free"] == str(2 * TOKEN)
    assert facts(agent, "status", "--of", other)["free"] == str(2 * TOKEN)
    assert facts(agent, "status")["free"] == "0"


def test_a_grant_is_one_line_and_needs_no_transaction(agent: Agent, client: str, town: Town) -> None:
    reader = str(Account.create().address)
    town.later(61)
    now = town.now()
    line = str(facts(agent, "grant", reader, "--limit", "3", "--for", "2d")["grant"])
    assert line.startswith(PREFIX)
    _, signed = parse_grant(line)
    assert (signed.grant.sponsor, signed.grant.reader, signed.grant.limit) == (client, reader, 3 * TOKEN)
    assert 0 <= signed.grant.expiry - 2 * 86_400 - now < 3600, "it is for so long by the chain's time"


@pytest.mark.parametrize(
    "words",
    [
        ("deposit", "0"), ("deposit", "-1"), ("deposit", "much"), ("deposit", "1", "--of", "0x12"),
        ("grant", "nobody", "--limit", "1"), ("grant", "0x" + "11" * 20, "--limit", "0"),
        ("grant", "0x" + "11" * 20, "--limit", "1", "--for", "soon"), ("withdraw", "--to", "me"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(agent: Agent, client: str, words: tuple[str, ...]) -> None:
    done = agent("client", "channel", *words)
    assert done.code == 2, done.err


def test_a_deposit_beyond_what_the_account_has_is_refused(agent: Agent, client: str) -> None:
    done = agent("client", "channel", "deposit", "1000000")
    assert done.code == 6 and "not enough tokens" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--max-cost", "1"), "--max-price"),
        (("--grant", "nowhere"), "--max-price"),
        (("--max-price", "much"), "--max-price"),
        (("--max-price", "0.0000000001"), "too little"),
        (("--max-price", "1", "--grant", "nowhere"), "Cannot read the grant"),
        (("--cache", "ftp://there"), "endpoint"),
    ],
)
def test_a_paid_read_typed_wrongly_is_told(agent: Agent, client: str, words: tuple[str, ...], told: str) -> None:
    done = agent("client", "get", CID, *words)
    assert done.code != 0 and told in done.err, done.err


def test_a_grant_of_another_reader_is_refused(
    agent: Agent, client: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    grant = str(facts(agent, "grant", "0x" + "11" * 20, "--limit", "1")["grant"])
    path = tmp_path_factory.mktemp("grants") / "grant"
    path.write_text(grant + "\n")
    for named in (grant, str(path)):
        done = agent("client", "get", CID, "--max-price", "1", "--grant", named)
        assert done.code == 7 and "another reader" in done.err
    cut = agent("client", "get", CID, "--max-price", "1", "--grant", grant[:-1])
    assert cut.code != 0 and "has a typo" in cut.err
