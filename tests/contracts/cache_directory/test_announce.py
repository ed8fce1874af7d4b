"""CacheDirectory.announce and retire, and the list they make."""

from __future__ import annotations

from tests.contracts.ground import Ground, fields


def test_caches_come_change_and_go(ground: Ground) -> None:
    directory = ground.owner.deploy(ground.contracts.CacheDirectory)
    one, two, three = ground.hosts[:3]
    for cache in (one, two, three):
        receipt = directory.announce(f"http://{cache.address}", sender=cache)
        said = {"cache": cache.address, "endpoint": f"http://{cache.address}"}
        assert fields(receipt, directory.CacheAnnounced) == [said]
    directory.announce("https://two", sender=two)
    assert directory.endpointOf(two) == "https://two"
    receipt = directory.retire(sender=one)
    assert fields(receipt, directory.CacheRetired) == [{"cache": one.address}]
    listed, endpoints = directory.caches(0, 10)
    assert (list(listed), list(endpoints)) == ([three.address, two.address], [f"http://{three.address}", "https://two"])
    assert (directory.cacheCount(), directory.endpointOf(one)) == (2, "")
    assert list(directory.caches(1, 1)[0]) == [two.address]


def test_refuses_endpoints_empty_or_too_long_and_strangers(ground: Ground) -> None:
    directory = ground.owner.deploy(ground.contracts.CacheDirectory)
    for endpoint in ("", "x" * 257):
        error = directory.CacheDirectory_BadEndpoint
        ground.refused(error, directory.announce, endpoint, by=ground.stranger, length=len(endpoint))
    error = directory.CacheDirectory_NotAnnounced
    ground.refused(error, directory.retire, by=ground.stranger, cache=ground.stranger.address)
