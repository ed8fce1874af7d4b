"""``agent market``: what is on the market, from the chain's events."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli import output
from agents.cli.options import Json, Market, Rpc
from agents.cli.outlook import durability
from agents.runtime.settings import Place

if TYPE_CHECKING:
    from agents.runtime.follower import Moment
    from agents.runtime.market import Listing

app = typer.Typer(help="What is on the market.", no_args_is_help=True)

app.command()(durability)


def _now(rpc: str | None, market: str | None) -> "Moment":
    from agents.runtime.market import moment

    return asyncio.run(moment(Place(rpc, market)))


def _show(listing: "Listing", empty: str, json: bool) -> None:
    output.Output(json).result(list(listing.data), lambda: output.table(listing.columns, listing.rows, empty))


@app.command()
def requests(rpc: Rpc = None, market: Market = None, json: Json = False) -> None:
    """Every storage request, newest first."""
    from agents.runtime import market as lists

    _show(lists.requests(_now(rpc, market)), "no requests yet", json)


@app.command()
def slots(
    request: Annotated[str, typer.Argument(help="A request's id, or its beginning.")],
    rpc: Rpc = None,
    market: Market = None,
    json: Json = False,
) -> None:
    """The slots of one request."""
    from agents.runtime import market as lists

    _show(lists.slots(_now(rpc, market), request), "no slots", json)


@app.command()
def providers(rpc: Rpc = None, market: Market = None, json: Json = False) -> None:
    """Every registered provider."""
    from agents.runtime import market as lists

    _show(lists.providers(_now(rpc, market)), "no providers yet", json)


@app.command()
def caches(rpc: Rpc = None, market: Market = None, json: Json = False) -> None:
    """Every announced cache: where it is, what it asks, how quickly it answers."""
    from agents.runtime import caches as lists

    _show(asyncio.run(lists.caches(Place(rpc, market))), "no caches yet", json)
