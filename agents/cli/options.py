"""The options that many commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout (amounts as strings).")]
Rpc = Annotated[
    str | None,
    typer.Option(
        "--rpc", envvar="HOLDFAST_RPC", metavar="URL", help="The chain's JSON-RPC. Default: the running devnet."
    ),
]
Market = Annotated[
    str | None,
    typer.Option(
        "--market",
        envvar="HOLDFAST_MARKET",
        metavar="eip155:ID:ADDRESS",
        help="The marketplace contract. Default: the running devnet's.",
    ),
]
Wallet = Annotated[
    str | None,
    typer.Option(
        "--wallet",
        envvar="HOLDFAST_WALLET",
        metavar="NAME",
        help="A key of `agent wallet list`. HOLDFAST_KEY or HOLDFAST_KEY_FILE name a key without a keystore.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", envvar="HOLDFAST_DATA_DIR", metavar="DIR", help="Where this agent keeps its data and its log."
    ),
]
