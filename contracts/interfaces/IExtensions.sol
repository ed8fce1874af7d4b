// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RequestId} from "../libraries/Types.sol";

/// @notice Time that somebody added to a request.
struct Extension {
    /// Who paid for it.
    address funder;
    /// The time paid for: [start, until).
    uint40 start;
    uint40 until;
    /// Base units of its price that no host is committed to earn.
    uint128 idle;
}

/// @title Extensions
/// @notice Who paid for which time of a request, and how much of that nobody serves: the refund of whoever paid.
///
/// A funder's money pays for the time it bought and for no other. Were what is left of a request split by what each put
/// in, a client could fail its own request for a share of the money a stranger had just added, and a stranger's
/// extension could be paid out of the client's refund.
interface IExtensions {
    error Extensions_NotMarket(address caller);

    /// @notice Add [from, until) to a request, for `price`; nobody is committed to serve it yet.
    /// @return count Extensions of the request; one funder's that follow each other are one.
    function add(RequestId id, address funder, uint256 from, uint256 until, uint256 price)
        external
        returns (uint256 count);

    /// @notice A host is going to earn `rate` a second during [from, until).
    function commit(RequestId id, uint256 rate, uint256 from, uint256 until) external;

    /// @notice A host that was committed to [from, until) will not earn it.
    function release(RequestId id, uint256 rate, uint256 from, uint256 until) external;

    /// @notice Every extension of a request, oldest first.
    function extensionsOf(RequestId id) external view returns (Extension[] memory);

    /// @notice The market whose requests these are, and the only caller that may change them.
    function market() external view returns (address);
}
