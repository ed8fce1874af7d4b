// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Extension, IExtensions} from "./interfaces/IExtensions.sol";
import {RequestId} from "./libraries/Types.sol";

/// @title Extensions
/// @notice See IExtensions. Holds no money: the market does, and pays what these books say.
contract Extensions is IExtensions {
    address public immutable market;

    /// Invariants, for every request: each extension begins where the one before ends; the idle pay of each is the rate
    /// times the seconds of it, over all slots, that no tenure covers: never more than its price.
    mapping(RequestId => Extension[]) internal extensions;

    constructor() {
        market = msg.sender;
    }

    modifier onlyMarket() {
        if (msg.sender != market) revert Extensions_NotMarket(msg.sender);
        _;
    }

    /// @inheritdoc IExtensions
    function add(RequestId id, address funder, uint256 from, uint256 until, uint256 price)
        external
        onlyMarket
        returns (uint256 count)
    {
        Extension[] storage all = extensions[id];
        count = all.length;
        if (count != 0 && all[count - 1].funder == funder) {
            all[count - 1].until = uint40(until);
            all[count - 1].idle += uint128(price);
            return count;
        }
        all.push(Extension(funder, uint40(from), uint40(until), uint128(price)));
        return count + 1;
    }

    /// @inheritdoc IExtensions
    function commit(RequestId id, uint256 rate, uint256 from, uint256 until) external onlyMarket {
        Extension[] storage all = extensions[id];
        for (uint256 i = all.length; i != 0 && all[i - 1].until > from; --i) {
            all[i - 1].idle -= uint128(rate * _overlap(all[i - 1], from, until));
        }
    }

    /// @inheritdoc IExtensions
    function release(RequestId id, uint256 rate, uint256 from, uint256 until) external onlyMarket {
        Extension[] storage all = extensions[id];
        for (uint256 i = all.length; i != 0 && all[i - 1].until > from; --i) {
            all[i - 1].idle += uint128(rate * _overlap(all[i - 1], from, until));
        }
    }

    /// @inheritdoc IExtensions
    function extensionsOf(RequestId id) external view returns (Extension[] memory) {
        return extensions[id];
    }

    /// @dev Seconds of [from, until) that lie in `extension`.
    function _overlap(Extension storage extension, uint256 from, uint256 until) private view returns (uint256) {
        return Math.saturatingSub(Math.min(until, extension.until), Math.max(from, extension.start));
    }
}
