"""Every error Holdfast raises on purpose, and the exit code of each.

::

    HoldfastError                       1
    ├── Misuse                          2   the command was typed wrongly
    │   └── OutOfReach                          a durability that no code can give under such hazards
    ├── ToolMissing                     3   the machine lacks something
    │   ├── KernelUnavailable               a hashing kernel this CPU does not have
    │   ├── ProverUnavailable               node, snarkjs, a proving key or a prover executable
    │   └── ExecutorUnavailable             a cluster for simulations, or worker processes that died
    ├── BadData                         4   the bytes are not what they should be
    │   ├── FileRejected                    empty, unreadable, or changed while read
    │   ├── Malformed                       a proving key, witness, constraint system, summary or model that breaks its format
    │   ├── CodeParameters                  k or m out of range
    │   ├── CapabilityInvalid               a typo in a capability or a CID
    │   ├── ManifestInvalid                 absurd, inconsistent or unknown
    │   ├── TraceInvalid                    a trace of requests with a line that is none
    │   ├── VoucherInvalid                  a payment that is malformed, or of another chain, lane or signer
    │   └── Corrupt                         bytes that do not match their digest, tag or root
    ├── ChainError                      5   the chain cannot be reached or believed
    │   ├── ChainUnavailable                nobody answers, or too late
    │   ├── WrongChain                      another chain id, or no market at the address
    │   ├── ChainLies                       answers that contradict one another
    │   └── LedgerMismatch                  amounts that the market's rules do not give
    ├── NotEnough                       6   tokens, gas money, or a limit the user set
    │   ├── NotEnoughTokens
    │   ├── NotEnoughGas
    │   ├── TooDear                         above --max-cost
    │   └── PaymentDue                      a cache serves no further before it is paid
    ├── KeyTrouble                      7   no key, wrong password
    ├── NotFound                        8   nobody has it
    │   └── PeerError                       a provider that is down, lies, or sends bad bytes
    ├── StorageTrouble                  9   the disk
    │   ├── DiskFull
    │   ├── QuotaExceeded
    │   └── DataDirInUse
    ├── Refused                        10   the contracts said no
    └── ProofFailed                    11   a proof could not be made or does not verify
        ├── TooLate                         it was not begun: it would miss its deadline
        └── ProverLost                      the process that made it died or hung
"""

from typing import ClassVar


class HoldfastError(Exception):
    """What went wrong, why, and what to do next; printed as ``what: why. next``."""

    exit_code: ClassVar[int] = 1
    meaning: ClassVar[str] = "unexpected"

    def __init__(self, what: str, why: str = "", do: str = "") -> None:
        self.what = what
        self.why = why
        self.do = do
        super().__init__(what, why, do)

    def __str__(self) -> str:
        text = f"{self.what}: {self.why}" if self.why else self.what
        return f"{text.rstrip('.')}. {self.do}" if self.do else text


class Misuse(HoldfastError):
    """The command, an option or a unit was typed wrongly."""

    exit_code = 2
    meaning = "typed wrongly"


class OutOfReach(Misuse):
    """A durability that no code of at most 256 slots gives under the hazards named."""


class ToolMissing(HoldfastError):
    """The machine lacks a program, a CPU feature or a built artefact."""

    exit_code = 3
    meaning = "a tool is missing"


class KernelUnavailable(ToolMissing):
    """The named hashing kernel is unknown or needs a CPU feature that is not there."""


class ProverUnavailable(ToolMissing):
    """No node, no snarkjs, no proving key, or no such prover executable."""


class ExecutorUnavailable(ToolMissing):
    """No cluster answers, its workers have other code, or the workers of a simulation died."""


class BadData(HoldfastError):
    """Bytes, parameters or names that cannot be what they claim to be."""

    exit_code = 4
    meaning = "bad data"


class FileRejected(BadData):
    """A file that is empty, unreadable, or changed while it was read."""


class Malformed(BadData):
    """A proving key, witness, constraint system, summary or model that breaks its format."""


class CodeParameters(BadData):
    """Numbers of slots that no erasure code of ours can have."""


class CapabilityInvalid(BadData):
    """A capability or CID with a typo."""


class ManifestInvalid(BadData):
    """A manifest that is malformed, inconsistent, absurdly large, or of an unknown version."""


class VoucherInvalid(BadData):
    """A voucher, opening, grant or offer that is malformed, or of another chain, lane or signer."""


class TraceInvalid(BadData):
    """A trace of requests with a line that is none."""


class Corrupt(BadData):
    """Bytes that do not match their digest, authentication tag or root."""


class ChainError(HoldfastError):
    """The chain cannot be reached or believed."""

    exit_code = 5
    meaning = "chain trouble"


class ChainUnavailable(ChainError):
    """Nobody answers at the RPC, or not in time."""


class WrongChain(ChainError):
    """The RPC serves another chain, or there is no market at the address."""


class ChainLies(ChainError):
    """The RPC's answers contradict one another."""


class LedgerMismatch(ChainError):
    """The market's books do not balance, or an event's amount is not the one the rules give."""


class NotEnough(HoldfastError):
    """Too few tokens, too little gas money, or a limit the user set."""

    exit_code = 6
    meaning = "not enough funds"


class NotEnoughTokens(NotEnough):
    """The account holds fewer tokens than the call takes."""


class NotEnoughGas(NotEnough):
    """The account cannot pay for the transaction."""


class TooDear(NotEnough):
    """The price is above what the user said to pay at most."""


class PaymentDue(NotEnough):
    """A cache serves no further before a voucher is signed, a lane opened or a deposit made."""


class KeyTrouble(HoldfastError):
    """No key, an unreadable keystore, or a wrong password."""

    exit_code = 7
    meaning = "key or password"


class NotFound(HoldfastError):
    """A request, a manifest or a slot that nobody has."""

    exit_code = 8
    meaning = "not found"


class PeerError(NotFound):
    """A provider's endpoint that is down, lies, or sends bad or endless bytes."""


class StorageTrouble(HoldfastError):
    """The disk, the quota, or the data directory."""

    exit_code = 9
    meaning = "storage trouble"


class DiskFull(StorageTrouble):
    """The file system has no room left."""


class QuotaExceeded(StorageTrouble):
    """A slot larger than what is left of the quota."""


class DataDirInUse(StorageTrouble):
    """Another agent runs on the same data directory."""


class Refused(HoldfastError):
    """The contracts refused the call."""

    exit_code = 10
    meaning = "refused by the market"


class ProofFailed(HoldfastError):
    """A proof could not be made, or does not verify."""

    exit_code = 11
    meaning = "proof failed"


class TooLate(ProofFailed):
    """A proof that was not begun because its deadline cannot be met any more."""


class ProverLost(ProofFailed):
    """The process that made a proof died or hung; another attempt may do."""


def exit_codes() -> list[tuple[int, str]]:
    """Every exit code and what it means, in order: those of the tree above, whatever else was imported."""
    direct: list[type[HoldfastError]] = [HoldfastError, *HoldfastError.__subclasses__()]
    return sorted((kind.exit_code, kind.meaning) for kind in direct if kind.__module__ == __name__)
