"""The ``agent`` command: its groups, and the one place where an error becomes an exit code."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from agents.cli import cache, client, demo, devnet, keys, market, provider, repro, validator, wallet
from agents.cli.arguments import normalise
from agents.core.errors import HoldfastError, exit_codes

EPILOGUE = "Exit codes: 0 done, " + ", ".join(f"{code} {meaning}" for code, meaning in exit_codes())

STOPPED = 130
"""Exit code after Ctrl-C, a shell's own for SIGINT."""

CommandError: type[Any] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What typer raises for a command it cannot read: click's own error, or that of the click it carries with it."""

app = typer.Typer(
    name="agent",
    help="Holdfast: buy, sell and prove durable storage.",
    epilog=EPILOGUE,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(name="validator")(validator.validator)
app.command(name="demo")(demo.demo)
app.command(name="repro")(repro.repro)
app.add_typer(provider.app, name="provider")
app.add_typer(client.app, name="client")
app.add_typer(cache.app, name="cache")
app.add_typer(market.app, name="market")
app.add_typer(wallet.app, name="wallet")
app.add_typer(keys.app, name="keys")
app.add_typer(devnet.app, name="devnet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code, as documented by ``agent --help``."""
    try:
        # Typer makes a Ctrl-C into a code that it returns; a command of ours returns nothing.
        code = int(app(normalise(sys.argv[1:] if arguments is None else arguments), standalone_mode=False) or 0)
    except CommandError as misuse:
        misuse.show()
        return int(misuse.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except BrokenPipeError:
        # The reader of our output went away (`agent wallet list | head`): no error of ours, and nobody to tell.
        sys.stderr.close()
        return 141
    except HoldfastError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    if code == STOPPED:
        sys.stderr.write("stopped\n")
    return code
