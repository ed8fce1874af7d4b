// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../../contracts/interfaces/IGroth16Verifier.sol";
import {IExtensions} from "../../../contracts/interfaces/IExtensions.sol";
import {Period, RequestId, SlotId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Seat, Story} from "./Ghosts.sol";
import {Validators} from "./Validators.sol";

/// @title Attackers
/// @notice They call everything with whatever arguments, and what is not theirs to call.
abstract contract Attackers is Validators {
    /// @dev What is only the market's to call.
    function attackerReaches(uint256 seed) external acts(seed) {
        address victim = oneOf(accounts);
        uint256 amount = draw(0, 1e20);
        uint256 kind = draw(0, 8);
        (address target, bytes memory data) = (address(registry), bytes(""));
        IExtensions books = market.extensions();
        RequestId id = _someRequest();
        if (kind == 0) data = abi.encodeCall(registry.lock, (victim, amount));
        else if (kind == 1) data = abi.encodeCall(registry.unlock, (victim, amount));
        else if (kind == 2) data = abi.encodeCall(registry.slash, (victim, amount));
        else if (kind == 3) data = abi.encodeCall(registry.credit, (victim, amount));
        else if (kind == 4) data = abi.encodeCall(registry.pull, (victim, amount));
        else if (kind == 5) data = abi.encodeCall(registry.pullWithPermit, (victim, amount, now_(), 27, 0, 0));
        else target = address(books);
        if (kind == 6) data = abi.encodeCall(books.add, (id, victim, now_(), now_() + amount, amount));
        else if (kind == 7) data = abi.encodeCall(books.commit, (id, 1, 0, now_() + amount));
        else if (kind == 8) data = abi.encodeCall(books.release, (id, 1, 0, now_() + amount));
        _mustNot(victim, target, data);
    }

    /// @dev Calls of the market by anybody, on anything: some apply.
    function attackerTries(uint256 seed) external acts(seed) {
        RequestId id = _someRequest();
        uint16 index = uint16(draw(0, 6));
        address who = oneIn(2) ? oneOf(hosts) : oneOf(accounts);
        _may(who, address(market), _anyCall(id, index));
    }

    function _anyCall(RequestId id, uint16 index) private returns (bytes memory) {
        uint256 kind = draw(0, 12);
        SlotId slotId = id.slotId(index);
        Period period = Period.wrap(uint64(periodNow() + 2 - draw(0, 8)));
        if (kind == 0) return abi.encodeCall(market.reserveSlot, (id, index));
        if (kind == 1) return abi.encodeCall(market.fillSlot, (slotId, anyProof()));
        if (kind == 2) return abi.encodeCall(market.submitProof, (slotId, period, anyProof()));
        if (kind == 3) return abi.encodeCall(market.claim, (slotId));
        if (kind == 4) return abi.encodeCall(market.settle, (slotId));
        if (kind == 5) return abi.encodeCall(market.closeReservation, (slotId));
        if (kind == 6) return abi.encodeCall(market.closeRequest, (id));
        if (kind == 7) return abi.encodeCall(market.markProofMissing, (slotId, period));
        if (kind == 8) return abi.encodeCall(market.markProofsMissing, (_slotIds(id, index), period));
        if (kind == 9) return abi.encodeCall(market.extendRequest, (id, uint40(draw(0, 2 hours))));
        if (kind == 10) return abi.encodeCall(market.acceptExtension, (slotId, uint40(now_() + draw(0, 10 hours))));
        if (kind == 11) return abi.encodeCall(market.submitProofs, (_slotIds(id, index), new Groth16Proof[](1)));
        return abi.encodeCall(market.submitProofs, (_slotIds(id, index), new Groth16Proof[](2)));
    }

    /// @dev What the rules forbid of a slot that is filled or reserved.
    function attackerForges(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isHeld);
        if (!found) return _nothingToDo();
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        address thief = oneOf(hosts);
        if (thief == seat.host) thief = stranger;
        SlotId slotId = id.slotId(index);
        _mustNot(thief, address(market), abi.encodeCall(market.fillSlot, (slotId, anyProof())));
        _mustNot(
            thief, address(market), abi.encodeCall(market.submitProof, (slotId, market.currentPeriod(), anyProof()))
        );
        _mustNot(thief, address(market), abi.encodeCall(market.acceptExtension, (slotId, type(uint40).max)));
        _mustNot(seat.host, address(market), abi.encodeCall(market.closeRequest, (id)));
        if (isLive(story)) _mustNot(story.client, address(market), abi.encodeCall(market.closeRequest, (id)));
        if (!_isSettleable(id, index)) {
            _mustNot(seat.host, address(market), abi.encodeCall(market.settle, (slotId)));
        }
        if (!_isReservationOver(id, index)) {
            _mustNot(thief, address(market), abi.encodeCall(market.closeReservation, (slotId)));
        }
        if (!_isClaimable(id, index)) _mustNot(seat.host, address(market), abi.encodeCall(market.claim, (slotId)));
        if (_isProvable(id, index)) {
            _mustNot(
                seat.host,
                address(market),
                abi.encodeCall(market.submitProofs, (_slotIds(id, index), new Groth16Proof[](1)))
            );
        }
    }

    /// @dev Tokens that nobody asked for are nobody's, and in nobody's way.
    function attackerSends(uint256 seed) external acts(seed) {
        uint256 amount = draw(1, 1e18);
        unasked += amount;
        vm.prank(oneOf(clients));
        token.transfer(address(registry), amount);
        address who = oneOf(accounts);
        _mustNot(who, address(registry), abi.encodeCall(registry.withdraw, (address(registry))));
        _mustNot(who, address(registry), abi.encodeCall(registry.withdraw, (address(token))));
        _mustNot(who, address(registry), abi.encodeCall(registry.withdraw, (address(0))));
    }

    function _isHeld(RequestId id, uint16 index) internal view returns (bool) {
        return seatOf(id, index).host != address(0);
    }

    /// @dev Open, closed or unheard of.
    function _someRequest() private returns (RequestId) {
        if (shut.length != 0 && oneIn(6)) return shut[draw(0, shut.length - 1)];
        if (open.length != 0 && !oneIn(12)) return open[draw(0, open.length - 1)];
        return RequestId.wrap(bytes32(draw(0, type(uint256).max - 1) << 8));
    }
}
