"""Whether the slots on disk are what requests for them pay for, found out once a request."""

from collections.abc import Callable

from agents.core.dataset.cid import digest_of
from agents.core.dataset.manifest import Manifest, check_bought, parse_manifest
from agents.core.errors import BadData, ManifestInvalid, StorageTrouble
from agents.core.market.view import RequestView
from agents.store.folders import SlotFolder


class Fitting:
    """Remembers which requests were compared with the manifest they name. ``profile`` is the market's."""

    def __init__(self, profile: str) -> None:
        self._profile = profile
        self._found: dict[bytes, ManifestInvalid | None] = {}

    def check(self, request: RequestView, folder: SlotFolder) -> None:
        """Raises ManifestInvalid unless the slot in ``folder`` can be proven for ``request``; Corrupt, StorageTrouble."""
        self._check(request, lambda: folder.manifest)

    def check_offered(self, request: RequestView, manifest: bytes) -> None:
        """Raises ManifestInvalid unless ``manifest``, which the client sends, is one by which the request can be proven."""
        if digest_of(manifest) == request.content.cid:
            self._check(request, lambda: parse_manifest(manifest))
        else:  # which says nothing about the one that the request names
            check_bought(parse_manifest(manifest), request.ask, request.content, self._profile)

    def _check(self, request: RequestView, read: Callable[[], Manifest]) -> None:
        if request.id not in self._found:
            try:
                check_bought(read(), request.ask, request.content, self._profile)
                self._found[request.id] = None
            except ManifestInvalid as refused:
                self._found[request.id] = refused
        refused_before = self._found[request.id]
        if refused_before is not None:
            raise refused_before

    def fits(self, request: RequestView, folder: SlotFolder) -> bool:
        """Whether the slot in ``folder`` can be proven for ``request``."""
        try:
            self.check(request, folder)
        except (BadData, StorageTrouble):
            return False
        return True

    @property
    def refused(self) -> frozenset[bytes]:
        """Requests whose manifest is another than they say."""
        return frozenset(id for id, refused in self._found.items() if refused is not None)
