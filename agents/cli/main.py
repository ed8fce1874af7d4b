"""The ``agent`` command: its groups, and the one place where an error becomes an exit code."""

import sys
from collections.abc import Sequence

import click
import typer

from agents.cli import devnet, keys, market, wallet
from agents.cli.arguments import normalise
from agents.core.errors import HoldfastError, exit_codes

EPILOGUE = "Exit codes: 0 done, " + ", ".join(f"{code} {meaning}" for code, meaning in exit_codes())

app = typer.Typer(
    name="agent",
    help="Holdfast: buy, sell and prove durable storage.",
    epilog=EPILOGUE,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(market.app, name="market")
app.add_typer(wallet.app, name="wallet")
app.add_typer(keys.app, name="keys")
app.add_typer(devnet.app, name="devnet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code, as documented by ``agent --help``."""
    try:
        app(normalise(sys.argv[1:] if arguments is None else arguments), standalone_mode=False)
    except click.exceptions.Exit as wanted:
        return wanted.exit_code
    except click.ClickException as misuse:
        misuse.show()
        return misuse.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("stopped\n")
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`agent wallet list | head`): no error of ours, and nobody to tell.
        sys.stderr.close()
        return 141
    except HoldfastError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0
