// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {CacheDirectory} from "../../../contracts/CacheDirectory.sol";
import {ICacheDirectory} from "../../../contracts/interfaces/ICacheDirectory.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Test} from "../Cheats.sol";

/// @notice The list of caches against a list kept beside it.
contract CacheDirectoryTest is Test {
    uint160 internal constant CACHES = 6;

    CacheDirectory internal directory;

    mapping(address cache => string) internal said;
    mapping(address cache => uint256) internal times;

    function setUp() external {
        directory = new CacheDirectory();
    }

    /// @dev Whatever caches do in whatever order: everybody announced is listed once, with what it said last.
    function test_everybody_announced_is_listed_once(uint256 seed) external {
        for (uint256 step; step < 40; ++step) {
            uint256 draw = uint256(keccak256(abi.encode(seed, step)));
            address cache = address(uint160(1 + draw % CACHES));
            bool listed = bytes(said[cache]).length != 0;
            if (draw >> 200 & 1 == 0) {
                if (!listed) {
                    vm.expectRevert(abi.encodeWithSelector(ICacheDirectory.CacheDirectory_NotAnnounced.selector, cache));
                }
                vm.prank(cache);
                directory.retire();
                delete said[cache];
            } else {
                string memory endpoint = string.concat("http://", Strings.toString(draw));
                vm.prank(cache);
                directory.announce(endpoint);
                said[cache] = endpoint;
            }
            _check();
        }
    }

    function test_pages_of_the_list() external {
        for (uint160 i = 1; i <= 5; ++i) {
            vm.prank(address(i));
            directory.announce(Strings.toString(i));
        }
        uint256[3][6] memory cases = [
            [uint256(0), 2, 2],
            [uint256(2), 10, 3],
            [uint256(4), 1, 1],
            [uint256(5), 1, 0],
            [type(uint256).max, type(uint256).max, 0],
            [uint256(0), type(uint256).max, 5]
        ];
        for (uint256 i; i < cases.length; ++i) {
            (address[] memory caches, string[] memory endpoints) = directory.caches(cases[i][0], cases[i][1]);
            eq(caches.length, cases[i][2], "caches");
            eq(endpoints.length, cases[i][2], "endpoints");
            if (caches.length != 0) eq(caches[0], address(uint160(cases[i][0] + 1)), "from");
        }
    }

    function test_endpoints_too_long_or_empty() external {
        vm.expectRevert(abi.encodeWithSelector(ICacheDirectory.CacheDirectory_BadEndpoint.selector, 0));
        directory.announce("");
        vm.expectRevert(abi.encodeWithSelector(ICacheDirectory.CacheDirectory_BadEndpoint.selector, 257));
        directory.announce(string(new bytes(257)));
        directory.announce(string(new bytes(256)));
        eq(directory.cacheCount(), 1, "listed");
    }

    function _check() internal {
        (address[] memory caches, string[] memory endpoints) = directory.caches(0, type(uint256).max);
        eq(caches.length, directory.cacheCount(), "count");
        uint256 expected;
        for (uint160 i = 1; i <= CACHES; ++i) {
            times[address(i)] = 0;
            if (bytes(said[address(i)]).length != 0) ++expected;
            isTrue(Strings.equal(directory.endpointOf(address(i)), said[address(i)]), "endpoint");
        }
        eq(caches.length, expected, "listed");
        for (uint256 i; i < caches.length; ++i) {
            eq(++times[caches[i]], 1, "once");
            isTrue(Strings.equal(endpoints[i], said[caches[i]]), "with its endpoint");
        }
    }
}
