// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../../contracts/interfaces/IGroth16Verifier.sol";
import {Provider} from "../../../contracts/interfaces/IStakeRegistry.sol";
import {Period, RequestId, SlotId, SlotState} from "../../../contracts/libraries/Types.sol";
import {Cast} from "./Cast.sol";
import {Seat, Story} from "./Ghosts.sol";

/// @title Hosts
/// @notice They reserve slots, fill them, prove them more or less diligently, and take what they earned.
abstract contract Hosts is Cast {
    // --- sales ---

    function hostReserves(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isForSale);
        if (!found || !_reserve(id, index)) _nothingToDo();
    }

    function hostFills(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isFillable);
        if (!found || !_challengeKnown()) return _nothingToDo();
        _fill(id, index);
    }

    /// @dev Whatever is for sale is reserved and filled, by whoever may.
    function hostsRush(uint256 seed) external acts(seed) {
        bool any;
        for (uint256 i; i < 6; ++i) {
            (bool found, RequestId id, uint16 index) = _find(_isForSale);
            if (!found || !_reserve(id, index)) break;
            any = true;
            if (oneIn(seatOf(id, index).vacatedAt != 0 ? 2 : 12)) continue;
            if (!_challengeKnown()) advance(1);
            if (_isFillable(id, index)) _fill(id, index);
        }
        if (!any) _nothingToDo();
    }

    function _reserve(RequestId id, uint16 index) private returns (bool) {
        uint256 first = draw(0, hosts.length - 1);
        for (uint256 i; i < hosts.length; ++i) {
            address host = hosts[(first + i) % hosts.length];
            if (!_mayReserve(host, id, index)) continue;
            _must(Kind.Reserve, host, address(market), abi.encodeCall(market.reserveSlot, (id, index)));
            return true;
        }
        return false;
    }

    function _fill(RequestId id, uint16 index) private {
        (SlotId slotId, address host) = (id.slotId(index), seatOf(id, index).host);
        if (oneIn(10)) _mustNot(host, address(market), abi.encodeCall(market.fillSlot, (slotId, _badProof())));
        _must(Kind.Fill, host, address(market), abi.encodeCall(market.fillSlot, (slotId, anyProof())));
    }

    function _isForSale(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        if (!isLive(story)) return false;
        if (seat.vacatedAt != 0 && (story.repairOpenedAt == 0 || !hasTerm(story))) return false;
        return seat.host == address(0) || (seat.state == SlotState.Reserved && now_() >= seat.deadline);
    }

    function _mayReserve(address host, RequestId id, uint16 index) private view returns (bool) {
        Story storage story = stories[id];
        for (uint256 i; i < story.slots; ++i) {
            // It may come back to the slot it reserved in vain.
            if (seatOf(id, i).host == host && i != index) return false;
        }
        Provider memory provider = registry.providerOf(host);
        uint256 regained;
        if (seatOf(id, index).host == host) {
            regained = story.collateral - bondOf(story, seatOf(id, index));
            if (staked[host] - provider.unbonding < MIN_STAKE + story.collateral - regained) return false;
        }
        if (provider.free + regained < story.collateral) return false;
        try market.placementOf(host, id, index) returns (uint256 distance, uint256 threshold) {
            return distance < threshold || threshold == type(uint256).max;
        } catch {
            return false;
        }
    }

    function _isFillable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        return seat.state == SlotState.Reserved && now_() < seat.deadline && isLive(story)
            && (seat.vacatedAt == 0 || hasTerm(story, seat.servesUntil));
    }

    // --- proofs ---

    function hostProves(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isProvable);
        if (!found) return _nothingToDo();
        _prove(id, index);
    }

    function hostProvesBatch(uint256 seed) external acts(seed) {
        if (!_challengeKnown()) advance(1);
        _proveBatch(oneOf(hosts));
    }

    /// @dev Some periods pass in which everybody proves, but for one who is lazy today.
    function hostsServe(uint256 seed) external acts(seed) {
        _serve(draw(1, 3), oneIn(4) ? oneOf(hosts) : address(0));
    }

    function _serve(uint256 periods, address lazy) internal {
        for (; periods != 0; --periods) {
            nextPeriod();
            for (uint256 i; i < open.length; ++i) {
                uint256 slots = stories[open[i]].slots;
                for (uint16 j; j < slots; ++j) {
                    if (seatOf(open[i], j).host != lazy && _isProvable(open[i], j)) _prove(open[i], j);
                }
            }
        }
    }

    function _prove(RequestId id, uint16 index) private {
        (SlotId slotId, address host) = (id.slotId(index), seatOf(id, index).host);
        Period period = Period.wrap(uint64(periodNow()));
        if (oneIn(10)) {
            _mustNot(host, address(market), abi.encodeCall(market.submitProof, (slotId, period, _badProof())));
        }
        bytes memory data = abi.encodeCall(market.submitProof, (slotId, period, anyProof()));
        _must(Kind.Prove, host, address(market), data);
        if (oneIn(10)) _mustNot(host, address(market), data);
    }

    /// @dev All slots there are, its own or not, some named twice, and some that nobody knows: it proves its own.
    function _proveBatch(address host) private {
        SlotId[] memory ids = _everySlot();
        uint256 due;
        for (uint256 i; i < ids.length; ++i) {
            Seat storage seat = seats[ids[i]];
            bool before;
            for (uint256 j; j < i; ++j) {
                if (SlotId.unwrap(ids[j]) == SlotId.unwrap(ids[i])) before = true;
            }
            if (!before && seat.host == host && _isProvable(ids[i].requestOf(), ids[i].indexOf())) ++due;
        }
        Groth16Proof[] memory proofs = new Groth16Proof[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            // A proof that does not apply need not be one.
            if (seats[ids[i]].host == host || oneIn(2)) proofs[i] = anyProof();
        }
        bytes memory data = abi.encodeCall(market.submitProofs, (ids, proofs));
        if (due == 0) return _mustNot(host, address(market), data);
        bytes memory answer = _must(Kind.ProveBatch, host, address(market), data);
        eq(abi.decode(answer, (uint256)), due, "accepted of a batch");
        _mustNot(host, address(market), data);
    }

    function _isProvable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        uint256 period = periodNow();
        SlotId slotId = id.slotId(index);
        if (seat.state != SlotState.Filled || now_() >= endOf(story, seat) || !_challengeKnown()) return false;
        return !proven[proofKey(slotId, period)] && _isRequired(story, seat, slotId, period);
    }

    /// @dev In every period after that of the fill or, says the market, in one of them by chance.
    function _isRequired(Story storage story, Seat storage seat, SlotId slotId, uint256 period)
        internal
        view
        returns (bool)
    {
        if (period <= seat.fillPeriod) return false;
        if (story.proofProbability == 1) return true;
        return market.isProofRequired(slotId, Period.wrap(uint64(period)));
    }

    function _challengeKnown() internal view returns (bool) {
        return block.number % rules.periodBlocks != 0;
    }

    function _badProof() internal pure returns (Groth16Proof memory) {}

    /// @dev Slots of open requests, one of them twice, and one that there is not.
    function _everySlot() internal returns (SlotId[] memory ids) {
        uint256 count;
        for (uint256 i; i < open.length; ++i) {
            count += stories[open[i]].slots;
        }
        ids = new SlotId[](count == 0 ? 1 : count + 2);
        uint256 next;
        for (uint256 i; i < open.length; ++i) {
            for (uint16 j; j < stories[open[i]].slots; ++j) {
                ids[next++] = open[i].slotId(j);
            }
        }
        ids[next++] = SlotId.wrap(bytes32(draw(0, type(uint256).max - 1)));
        if (count != 0) ids[next] = ids[draw(0, count - 1)];
    }

    // --- pay and extensions ---

    function hostClaims(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isClaimable);
        if (!found) return _nothingToDo();
        // Anybody may: it is the host who is credited.
        address who = oneIn(2) ? stranger : seatOf(id, index).host;
        _must(Kind.Claim, who, address(market), abi.encodeCall(market.claim, (id.slotId(index))));
    }

    function hostAccepts(uint256 seed) external acts(seed) {
        (bool found, RequestId id, uint16 index) = _find(_isAcceptable);
        if (!found) return _nothingToDo();
        (SlotId slotId, address host) = (id.slotId(index), seatOf(id, index).host);
        uint40 end = uint40(stories[id].endsAt);
        _mustNot(host, address(market), abi.encodeCall(market.acceptExtension, (slotId, end - 1)));
        _must(Kind.Accept, host, address(market), abi.encodeCall(market.acceptExtension, (slotId, end)));
    }

    function _isClaimable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        return seat.state == SlotState.Filled && owedRunning(story, seat) != 0;
    }

    function _isAcceptable(RequestId id, uint16 index) internal view returns (bool) {
        (Story storage story, Seat storage seat) = _storyOf(id, index);
        return
            seat.state == SlotState.Filled && isLive(story) && seat.heldUntil != story.endsAt && now_() < seat.heldUntil;
    }
}
