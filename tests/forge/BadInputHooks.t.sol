// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {Period, Request, RequestId, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {HookToken} from "../attacks/Tokens.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice A contract as provider, client and funder, that tries every call there is whenever tokens move.
contract Meddler {
    address[] internal targets;
    bytes[] internal calls;
    mapping(bytes32 => uint256) public refusedWith;
    uint256 public tries;
    uint256 public successes;
    bool internal busy;

    error Unwanted();

    function plan(address target, bytes calldata data) external {
        targets.push(target);
        calls.push(data);
    }

    function act(address target, bytes calldata data) external {
        (bool done, bytes memory answer) = target.call(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }

    function tokensToSend() external {
        _meddle();
    }

    function tokensReceived() external {
        _meddle();
    }

    function _meddle() internal virtual {
        if (busy) return;
        busy = true;
        for (uint256 i; i < calls.length; ++i) {
            ++tries;
            (bool done, bytes memory answer) = targets[i].call(calls[i]);
            if (done) ++successes;
            else if (answer.length == 4) ++refusedWith[bytes4(answer)];
        }
        busy = false;
    }
}

/// @notice Wants no tokens at all.
contract Ingrate is Meddler {
    function _meddle() internal pure override {
        revert Unwanted();
    }
}

/// @notice Calls back before and after it moves.
contract HookTokenTest is MarketTest {
    uint40 internal constant WHENEVER = type(uint40).max;

    Meddler internal meddler;
    RequestId internal id;
    RequestId internal own;

    function newToken() internal override returns (TestToken) {
        return TestToken(address(new HookToken(type(uint200).max)));
    }

    function test_whoever_calls_back_in_the_middle_of_a_payment_gains_nothing() external {
        meddler = new Meddler();
        _join(meddler);
        Request memory request = exampleRequest();
        request.client = address(meddler);
        id = postAndOpen(exampleRequest());
        _planEverything(request);
        uint256 wealth = _wealth();
        // In and out, in every state that it can bring about, with everything tried in between.
        meddler.act(address(market), abi.encodeCall(market.requestStorage, (request)));
        own = _idOf(request);
        // Some of this it has done already, from inside the payment.
        _attempt(abi.encodeCall(market.reserveSlot, (id, 0)));
        nextPeriod();
        _attempt(abi.encodeCall(market.fillSlot, (id.slotId(0), anyProof())));
        eq(market.slotOf(id.slotId(0)).host, address(meddler), "a host");
        _inAndOut();
        fill(id, 1, hosts[1]);
        fill(id, 2, hosts[2]);
        _attempt(abi.encodeCall(market.extendRequest, (id, 2 hours)));
        _attempt(abi.encodeCall(market.acceptExtension, (id.slotId(0), WHENEVER)));
        isTrue(market.slotOf(id.slotId(0)).heldUntil == market.requestOf(id).endsAt, "for longer");
        nextPeriod();
        _inAndOut();
        Period current = market.currentPeriod();
        _attempt(abi.encodeCall(market.submitProof, (id.slotId(0), current, anyProof())));
        _inAndOut();
        advanceSeconds(1 days + config().settleSeconds);
        _inAndOut();
        advanceSeconds(30 days);
        _inAndOut();
        _end(id);
        _end(own);
        _inAndOut();
        eq(registry.poolOf(address(market)), 0, "pool");
        isTrue(meddler.tries() > 200, "it tried");
        isTrue(meddler.refusedWith(ReentrancyGuardReentrantCall_) != 0, "and the doors were locked");
        // It served one slot for a day; the time it added is its own, served by itself or given back.
        isTrue(_wealth() <= wealth + rateOf(request) * 1 days, "the pay of one slot at most");
        _solvent();
    }

    bytes4 internal constant ReentrancyGuardReentrantCall_ =
        ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;

    function test_whoever_reverts_on_receipt_harms_itself_alone() external {
        Ingrate ingrate = new Ingrate();
        meddler = ingrate;
        _join(meddler);
        Request memory request = exampleRequest();
        request.client = address(ingrate);
        ingrate.act(address(market), abi.encodeCall(market.requestStorage, (request)));
        own = _idOf(request);
        advanceSeconds(request.expiry / 2);
        ingrate.act(address(market), abi.encodeCall(market.reserveSlot, (own, 0)));
        nextPeriod();
        ingrate.act(address(market), abi.encodeCall(market.fillSlot, (own.slotId(0), anyProof())));
        fill(own, 1, hosts[1]);
        fill(own, 2, hosts[2]);
        ingrate.act(address(market), abi.encodeCall(market.extendRequest, (own, 1 hours)));
        HookToken(address(token)).demand();
        advanceSeconds(1 days + 1 hours + config().settleSeconds);
        _end(own);
        vm.prank(hosts[1]);
        registry.withdraw(hosts[1]);
        vm.prank(hosts[2]);
        registry.withdraw(hosts[2]);
        uint256 credit = registry.creditOf(address(ingrate));
        isTrue(credit != 0, "pay, refund and refund as a funder");
        vm.expectRevert(Meddler.Unwanted.selector);
        ingrate.act(address(registry), abi.encodeCall(registry.withdraw, (address(ingrate))));
        ingrate.act(address(registry), abi.encodeCall(registry.withdraw, (stranger)));
        eq(token.balanceOf(stranger), credit, "elsewhere");
        _solvent();
    }

    // --- what these tests are made of ---

    function _join(Meddler who) internal {
        token.transfer(address(who), 1e30);
        who.act(address(token), abi.encodeCall(token.approve, (address(registry), type(uint256).max)));
        who.act(address(registry), abi.encodeCall(registry.register, ("http://meddler")));
        who.act(address(registry), abi.encodeCall(registry.deposit, (HOST_STAKE)));
        advance(1);
    }

    /// @dev Every call that changes anything, of both contracts and their modules' doors.
    function _planEverything(Request memory request) internal {
        own = _idOf(request);
        SlotId[] memory slots = new SlotId[](2);
        Groth16Proof[] memory proofs = new Groth16Proof[](2);
        (slots[0], slots[1]) = (id.slotId(0), own.slotId(0));
        (proofs[0], proofs[1]) = (anyProof(), anyProof());
        Period soon = Period.wrap(Period.unwrap(market.currentPeriod()) + 1);
        RequestId[2] memory both = [id, own];
        for (uint256 i; i < 2; ++i) {
            SlotId slot = both[i].slotId(0);
            _plan(abi.encodeCall(market.extendRequest, (both[i], 1 hours)));
            _plan(abi.encodeCall(market.extendRequestWithPermit, (both[i], 1 hours, 1, 27, 0, 0)));
            _plan(abi.encodeCall(market.closeRequest, (both[i])));
            _plan(abi.encodeCall(market.reserveSlot, (both[i], 0)));
            _plan(abi.encodeCall(market.closeReservation, (slot)));
            _plan(abi.encodeCall(market.fillSlot, (slot, anyProof())));
            _plan(abi.encodeCall(market.submitProof, (slot, soon, anyProof())));
            _plan(abi.encodeCall(market.acceptExtension, (slot, WHENEVER)));
            _plan(abi.encodeCall(market.claim, (slot)));
            _plan(abi.encodeCall(market.settle, (slot)));
            _plan(abi.encodeCall(market.markProofMissing, (slot, soon)));
        }
        _plan(abi.encodeCall(market.submitProofs, (slots, proofs)));
        _plan(abi.encodeCall(market.markProofsMissing, (slots, soon)));
        _plan(abi.encodeCall(market.requestStorage, (request)));
        _plan(abi.encodeCall(market.requestStorageWithPermit, (request, 1, 27, 0, 0)));
        _planVault(abi.encodeCall(registry.register, ("http://again")));
        _planVault(abi.encodeCall(registry.setEndpoint, ("http://again")));
        _planVault(abi.encodeCall(registry.deposit, (3)));
        _planVault(abi.encodeCall(registry.depositWithPermit, (3, 1, 27, 0, 0)));
        _planVault(abi.encodeCall(registry.unstake, (2)));
        _planVault(abi.encodeCall(registry.collectUnbonded, ()));
        _planVault(abi.encodeCall(registry.withdraw, (address(meddler))));
        _planVault(abi.encodeCall(registry.lock, (address(meddler), 1)));
        _planVault(abi.encodeCall(registry.unlock, (address(meddler), 1)));
        _planVault(abi.encodeCall(registry.slash, (hosts[1], 1)));
        _planVault(abi.encodeCall(registry.credit, (address(meddler), 1)));
        _planVault(abi.encodeCall(registry.pull, (client, 1)));
        _planVault(abi.encodeCall(registry.pullWithPermit, (client, 1, 1, 27, 0, 0)));
    }

    function _plan(bytes memory data) internal {
        meddler.plan(address(market), data);
    }

    function _planVault(bytes memory data) internal {
        meddler.plan(address(registry), data);
    }

    /// @dev What the meddler may have done before.
    function _attempt(bytes memory data) internal {
        (bool done,) = address(meddler).call(abi.encodeCall(meddler.act, (address(market), data)));
        done;
    }

    /// @dev Tokens move in, and out if there is credit: the meddler is called each time.
    function _inAndOut() internal {
        meddler.act(address(registry), abi.encodeCall(registry.deposit, (5)));
        if (registry.creditOf(address(meddler)) != 0) {
            meddler.act(address(registry), abi.encodeCall(registry.withdraw, (address(meddler))));
        }
        _solvent();
    }

    function _wealth() internal view returns (uint256) {
        return token.balanceOf(address(meddler)) + registry.creditOf(address(meddler)) + stakeOf(address(meddler))
            + registry.providerOf(address(meddler)).unbonding;
    }

    function _solvent() internal view {
        eq(token.balanceOf(address(registry)), registry.liabilities(), "the vault holds what it owes");
    }

    function _idOf(Request memory request) internal pure returns (RequestId) {
        return RequestId.wrap(keccak256(abi.encode(request)) & ~bytes32(uint256(0xff)));
    }

    function _end(RequestId which) internal {
        advanceSeconds(30 days);
        for (uint16 i; i < 3; ++i) {
            SlotState state = market.slotOf(which.slotId(i)).state;
            if (state == SlotState.Reserved) market.closeReservation(which.slotId(i));
            if (state == SlotState.Filled) market.settle(which.slotId(i));
        }
        if (!market.requestOf(which).closed) market.closeRequest(which);
    }
}
