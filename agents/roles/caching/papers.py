"""What a reader signed and its sponsor granted, checked: whose signatures are they, for which chain and contract."""

from agents.core.channels.lanes import Domain, SignedGrant, SignedOpening, SignedVoucher, Voucher, invalid
from agents.core.channels.till import Till
from agents.core.channels.wire import Payment
from agents.net.signing import digest_signer
from agents.roles.caching.lanes import Account


class Papers:
    """The checks for one contract. All raise VoucherInvalid."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def shown(self, account: Account, payment: Payment) -> bool:
        """Whether the payment bears the reader's proof that it is its own; another's is none."""
        proof, signed = payment.proof, payment.voucher
        if proof is None and signed is not None and signed.voucher.amount == 0:
            proof = signed.signature
        if proof is None:
            return False
        if proof != account.proof:
            if self._signer(Voucher(account.lane, 0).digest(self._domain), proof) != account.lane.reader:
                raise invalid(
                    "its proof is not signed by the lane's reader for this chain and contract", "Sign it anew."
                )
            account.proof = proof
        return True

    def paid(self, till: Till, signed: SignedVoucher) -> Till:
        """The till with a voucher."""
        return till.accept(signed, self._signer(signed.voucher.digest(self._domain), signed.signature))

    def opened(self, till: Till, opening: SignedOpening, grant: SignedGrant | None) -> Till:
        """The till once an opening was shown, and a grant where the reader has a sponsor."""
        if self._signer(opening.opening.digest(self._domain), opening.signature) != till.lane.reader:
            raise invalid("the opening is not signed by the lane's reader for this chain and contract")
        return till if grant is None else till.shown(grant, self._sponsor(grant))

    def _signer(self, digest: bytes, signature: bytes) -> str:
        try:
            return digest_signer(digest, signature)
        except ValueError as error:
            raise invalid(f"the signature is none ({error})") from error

    def _sponsor(self, grant: SignedGrant) -> str:
        """Whose key signed a grant; nobody's for a contract's signature, which the chain alone understands."""
        try:
            return digest_signer(grant.grant.digest(self._domain), grant.signature)
        except ValueError:
            return ""
