"""What may be said of a durability to buy: the options of `agent client quote`, which `store --nines` shares."""

from dataclasses import dataclass
from typing import Annotated

import typer

from agents.cli.parsing import maybe
from agents.core import units
from agents.core.errors import Misuse
from agents.runtime.settings import Parameters, Target

MaxSlots = Annotated[int | None, typer.Option(help="Slots at most, parity included; each needs a host of its own.")]
Mttf = Annotated[str | None, typer.Option(metavar="TIME", help="Mean time until a host is lost. Default: 1y.")]
Mttr = Annotated[str | None, typer.Option(metavar="TIME", help="Mean time of a repair, once it is open. Default: 24h.")]
GroupSize = Annotated[
    int | None,
    typer.Option(help="So many slots are with hosts that fail together, besides failing alone; with --group-mttf."),
]
GroupMttf = Annotated[
    str | None, typer.Option(metavar="TIME", help="Mean time until the hosts of such a group fail. Default: never.")
]
Expansion = Annotated[float | None, typer.Option(help="Slots per data slot, e.g. 1.5. Default: the cheapest.")]
ProofInterval = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Mean time between proofs of a slot. Default: the longest that will do."),
]
GasPrice = Annotated[
    str | None, typer.Option(metavar="TOKENS", help="What a million gas of proofs is worth, to weigh it. Default: 0.")
]
TrafficPrice = Annotated[
    str | None, typer.Option(metavar="TOKENS", help="What moving a GiB in repairs is worth, to weigh it. Default: 0.")
]
Collateral = Annotated[
    int | None, typer.Option(help="Base units per byte that a host locks. Default: the least the market allows.")
]
NoEncrypt = Annotated[bool, typer.Option("--no-encrypt", help="Store a public file: its CID is enough to read it.")]


@dataclass(frozen=True)
class Assumed:
    """What is said of the hosts, as it was typed; None: nothing."""

    mttf: str | None = None
    mttr: str | None = None
    group_size: int | None = None
    group_mttf: str | None = None

    def known(self) -> dict[str, int]:
        """What was typed, by its name in the settings. Raises Misuse."""
        if (self.group_size is None) != (self.group_mttf is None):
            typed, other = ("mttf", "size") if self.group_size is None else ("size", "mttf")
            raise Misuse(
                f"--group-{typed} goes with --group-{other}",
                "hosts that fail together are so many, and do so after some time",
                "Say both, like --group-size 2 --group-mttf 10y.",
            )
        if self.group_size is not None and self.group_size < 1:
            raise Misuse(f"A group cannot have {self.group_size} slots", "", "Choose a --group-size of 1 or more.")
        read = {
            "mttf": maybe("--mttf", self.mttf, units.parse_duration),
            "mttr": maybe("--mttr", self.mttr, units.parse_duration),
            "group_size": self.group_size,
            "group_mttf": maybe("--group-mttf", self.group_mttf, units.parse_duration),
        }
        return {name: value for name, value in read.items() if value is not None}


@dataclass(frozen=True)
class Wish:
    """The options as they were typed; None: not at all."""

    assumed: Assumed
    max_slots: int | None
    expansion: float | None
    repair_threshold: int | None
    proof_interval: str | None
    gas_price: str | None
    traffic_price: str | None
    price: int | None

    def target(self, nines: float) -> Target:
        """A target of so many nines. Raises Misuse."""
        if self.price is not None and self.price < 1:
            raise Misuse(f"A price of {self.price} cannot be", "hosts store nothing for it", "Choose 1 or more.")
        typed = {
            "proof_interval": maybe("--proof-interval", self.proof_interval, units.parse_duration),
            "gas_price": maybe("--gas-price", self.gas_price, units.parse_amount),
            "traffic_price": maybe("--traffic-price", self.traffic_price, units.parse_amount),
            "max_slots": self.max_slots,
            "repair_threshold": self.repair_threshold,
            "price": self.price,
        }
        known = {name: value for name, value in typed.items() if value is not None}
        return Target(nines, expansion=self.expansion, **known, **self.assumed.known())

    def parameters(
        self, nines: float | None, slots: int | None, parity: int | None, proof_probability: int | None
    ) -> Parameters | Target:
        """A target if there are nines, and what was typed otherwise. Raises Misuse where both were."""
        if nines is not None:
            typed = {"--slots": slots, "--parity": parity, "--proof-probability": proof_probability}
            for option, value in typed.items():
                if value is not None:
                    raise Misuse(
                        f"--nines and {option} do not go together", "the nines are what the slots and proofs are chosen for",
                        "Leave one of them out; --max-slots, --expansion, --repair-threshold and --proof-interval may be said.",
                    )  # fmt: skip
            return self.target(nines)
        options = ("max_slots", "expansion", "proof_interval", "gas_price", "traffic_price")
        chosen = vars(self.assumed) | {option: getattr(self, option) for option in options}
        for option, value in chosen.items():
            if value is not None:
                name = option.replace("_", "-")
                raise Misuse(f"--{name} goes with --nines", "nothing is to be chosen without it", "Name the nines too.")
        typed = {
            "slots": slots, "parity": parity, "repair_threshold": self.repair_threshold,
            "proof_probability": proof_probability, "price": self.price,
        }  # fmt: skip
        return Parameters(**{name: value for name, value in typed.items() if value is not None})
