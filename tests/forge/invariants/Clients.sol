// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ask, Content, Request, RequestId, RequestState} from "../../../contracts/libraries/Types.sol";
import {Cast} from "./Cast.sol";
import {Story} from "./Ghosts.sol";

/// @title Clients
/// @notice They post requests and extend them; strangers extend them too.
abstract contract Clients is Cast {
    uint256 internal constant MAX_OPEN = 3;

    uint256 private posted;

    function clientPosts(uint256 seed) external acts(seed) {
        if (open.length >= MAX_OPEN) return _close();
        Request memory request = _request(oneOf(clients));
        if (oneIn(2)) {
            _must(Kind.Post, request.client, address(market), abi.encodeCall(market.requestStorage, (request)));
            return;
        }
        uint256 price = request.ask.slots * request.ask.duration * rateOf(request);
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(request.client, price, now_());
        _approve(request.client, 0);
        _must(
            Kind.PostWithPermit,
            request.client,
            address(market),
            abi.encodeCall(market.requestStorageWithPermit, (request, now_(), v, r, s))
        );
        _approve(request.client, type(uint256).max);
    }

    function funderExtends(uint256 seed) external acts(seed) {
        (bool found, RequestId id) = _findRequest(_isExtendable);
        if (!found) return _nothingToDo();
        Story storage story = stories[id];
        uint256 room = story.createdAt + rules.maxDuration - story.endsAt;
        address funder = oneIn(3) ? story.client : oneOf(funders);
        uint256 least = rules.minExtension;
        uint256 extra = oneIn(8) ? room : oneIn(2) ? least : draw(least, least + (room - least) / 8);
        if (oneIn(2)) {
            _must(Kind.Extend, funder, address(market), abi.encodeCall(market.extendRequest, (id, uint40(extra))));
            return;
        }
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(funder, story.slots * extra * story.rate, now_());
        _must(
            Kind.ExtendWithPermit,
            funder,
            address(market),
            abi.encodeCall(market.extendRequestWithPermit, (id, uint40(extra), now_(), v, r, s))
        );
        _approve(funder, type(uint256).max);
    }

    /// @dev A permit takes the place of what was allowed before.
    function _approve(address who, uint256 amount) private {
        vm.prank(who);
        token.approve(address(registry), amount);
    }

    function _close() internal {
        (bool found, RequestId id) = _findRequest(_isClosable);
        if (!found) return _nothingToDo();
        // Whoever calls it gains nothing by it.
        _must(Kind.CloseRequest, stranger, address(market), abi.encodeCall(market.closeRequest, (id)));
    }

    function _isExtendable(RequestId id) internal view returns (bool) {
        Story storage story = stories[id];
        // One place of the sixteen is the client's.
        return stateOf(story) == RequestState.Started && story.pieces.length < 15
            && story.endsAt + rules.minExtension <= story.createdAt + rules.maxDuration;
    }

    function _isClosable(RequestId id) internal view returns (bool) {
        Story storage story = stories[id];
        if (isLive(story)) return false;
        for (uint256 i; i < story.slots; ++i) {
            if (seatOf(id, i).host != address(0)) return false;
        }
        return true;
    }

    /// @dev Odd amounts, so that every share is rounded; sometimes nothing is paid, or next to nothing at stake.
    function _request(address who) private returns (Request memory) {
        uint256 slots = draw(1, 6);
        uint256 loss = draw(0, slots - 1);
        uint256 size = draw(1, 1e6) | 1;
        uint256 duration = draw(1 hours, 3 hours);
        Ask memory ask = Ask({
            proofProbability: uint16(draw(1, 2)),
            slots: uint16(slots),
            maxSlotLoss: uint16(loss),
            repairThreshold: uint16(oneIn(2) ? 1 : draw(1, loss == 0 ? 1 : loss)),
            dispersal: uint16(draw(100, 9900)),
            slotSize: uint64(size),
            duration: uint40(duration),
            pricePerBytePerSecond: uint128(oneIn(6) ? 0 : oneIn(3) ? draw(1, 9) : draw(1e3, 1e6)),
            collateralPerByte: uint128(oneIn(5) ? draw(1, 3) : draw(1, 2e18) / size + 1)
        });
        uint40 expiry = uint40(draw(600, duration / 2));
        return Request(who, ask, Content(keccak256("manifest"), 1234), expiry, bytes32(++posted));
    }
}
