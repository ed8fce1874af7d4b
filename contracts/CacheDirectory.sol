// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICacheDirectory} from "./interfaces/ICacheDirectory.sol";

/// @title CacheDirectory
/// @notice See ICacheDirectory. No stake, no money, no owner.
contract CacheDirectory is ICacheDirectory {
    uint256 internal constant MAX_ENDPOINT_BYTES = 256;

    /* STORAGE */

    /// Invariant: everybody in it once.
    address[] internal listed;

    /// Invariant: placeOf[listed[i]] = i + 1, and 0 for who is not on the list.
    mapping(address cache => uint256) internal placeOf;

    /// Invariant: empty exactly for who is not on the list.
    mapping(address cache => string) public endpointOf;

    /* CACHES */

    /// @inheritdoc ICacheDirectory
    function announce(string calldata endpoint) external {
        uint256 length = bytes(endpoint).length;
        if (length == 0 || length > MAX_ENDPOINT_BYTES) revert CacheDirectory_BadEndpoint(length);

        if (placeOf[msg.sender] == 0) {
            listed.push(msg.sender);
            placeOf[msg.sender] = listed.length;
        }
        endpointOf[msg.sender] = endpoint;

        emit CacheAnnounced(msg.sender, endpoint);
    }

    /// @inheritdoc ICacheDirectory
    function retire() external {
        uint256 place = placeOf[msg.sender];
        if (place == 0) revert CacheDirectory_NotAnnounced(msg.sender);

        address last = listed[listed.length - 1];
        listed[place - 1] = last;
        placeOf[last] = place;
        listed.pop();
        delete placeOf[msg.sender];
        delete endpointOf[msg.sender];

        emit CacheRetired(msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc ICacheDirectory
    function cacheCount() external view returns (uint256) {
        return listed.length;
    }

    /// @inheritdoc ICacheDirectory
    function caches(uint256 from, uint256 count)
        external
        view
        returns (address[] memory accounts, string[] memory endpoints)
    {
        count = Math.min(count, Math.saturatingSub(listed.length, from));
        accounts = new address[](count);
        endpoints = new string[](count);
        for (uint256 i; i < count; ++i) {
            accounts[i] = listed[from + i];
            endpoints[i] = endpointOf[accounts[i]];
        }
    }
}
