// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title CacheDirectory
/// @notice Where caches say how they are reached. Anybody may be a cache, so whoever reads this list believes none of it.
interface ICacheDirectory {
    event CacheAnnounced(address indexed cache, string endpoint);
    event CacheRetired(address indexed cache);

    error CacheDirectory_BadEndpoint(uint256 length);
    error CacheDirectory_NotAnnounced(address cache);

    /// @notice Say that the caller serves reads at `endpoint` (1 .. 256 bytes), or serves them there from now on.
    function announce(string calldata endpoint) external;

    /// @notice Take the caller off the list.
    function retire() external;

    // --- views ---

    /// @notice Empty for who is not on the list.
    function endpointOf(address cache) external view returns (string memory);

    function cacheCount() external view returns (uint256);

    /// @notice `count` caches from place `from` on, or as many as there are. Places move when caches retire: the last one
    /// takes the place of the one that goes.
    function caches(uint256 from, uint256 count)
        external
        view
        returns (address[] memory accounts, string[] memory endpoints);
}
