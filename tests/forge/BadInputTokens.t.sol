// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IStakeRegistry} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Period, Request, RequestId, RequestState, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {BlocklistToken, HookToken, SilentToken, TollToken} from "../attacks/Tokens.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice A market in a token that is not as tokens should be: refused by name, or sound to the last unit.
abstract contract OddTokenTest is MarketTest {
    uint40 internal constant WHENEVER = type(uint40).max;

    /// @dev A request that a stranger extended, one host accepted and everybody else left, all paid out.
    function _story() internal {
        fund(stranger);
        Request memory request = exampleRequest();
        request.nonce = keccak256(abi.encode(vm.getBlockNumber()));
        RequestId id = start(request);
        uint256 end = market.requestOf(id).endsAt;
        vm.prank(stranger);
        market.extendRequest(id, 1 hours);
        SlotId first = id.slotId(0);
        vm.prank(hosts[0]);
        market.acceptExtension(first, WHENEVER);
        advanceSeconds(end - vm.getBlockTimestamp() + config().settleSeconds);
        market.settle(id.slotId(1));
        market.settle(id.slotId(2));
        isTrue(market.requestOf(id).state == RequestState.Failed, "two left");
        advanceSeconds(config().settleSeconds);
        market.settle(first);
        market.closeRequest(id);
        eq(registry.poolOf(address(market)), 0, "pool");
        address[5] memory paid = [hosts[0], hosts[1], hosts[2], client, stranger];
        for (uint256 i; i < paid.length; ++i) {
            isTrue(registry.creditOf(paid[i]) != 0, "everybody is owed something");
            vm.prank(paid[i]);
            registry.withdraw(paid[i]);
        }
        _solvent();
    }

    function _solvent() internal view {
        eq(token.balanceOf(address(registry)), registry.liabilities(), "the vault holds what it owes");
    }
}

/// @notice Answers nothing; later false.
contract SilentTokenTest is OddTokenTest {
    function newToken() internal override returns (TestToken) {
        return TestToken(address(new SilentToken(type(uint256).max)));
    }

    function fund(address account) internal override {
        SilentToken(address(token)).transfer(account, 1e30);
    }

    function test_a_token_that_answers_nothing_is_sound() external {
        _story();
    }

    function test_a_token_that_answers_false_is_refused_by_name() external {
        RequestId id = start(exampleRequest());
        nextPeriod();
        prove(id, 0);
        market.claim(id.slotId(0));
        SilentToken(address(token)).refuse();
        bytes memory failed = abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token));
        uint256 owed = registry.liabilities();
        vm.expectRevert(failed);
        vm.prank(hosts[0]);
        registry.deposit(1);
        vm.expectRevert(failed);
        vm.prank(client);
        market.extendRequest(id, 1 hours);
        vm.expectRevert(failed);
        vm.prank(hosts[0]);
        registry.withdraw(hosts[0]);
        isTrue(registry.creditOf(hosts[0]) != 0, "the credit is there still");
        eq(registry.liabilities(), owed, "nothing has changed");
    }
}

/// @notice Begins to take a fee.
contract TollTokenTest is OddTokenTest {
    function newToken() internal override returns (TestToken) {
        return TestToken(address(new TollToken(type(uint200).max)));
    }

    function test_what_arrives_in_part_is_refused_by_name() external {
        RequestId id = start(exampleRequest());
        TollToken(address(token)).toll();
        Request memory request = exampleRequest();
        request.nonce = "another";
        uint256 price = rateOf(request) * 3 days;
        _arrives(price);
        vm.prank(client);
        market.requestStorage(request);
        _arrives(price / 24);
        vm.prank(client);
        market.extendRequest(id, 1 hours);
        _arrives(1000);
        vm.prank(hosts[0]);
        registry.deposit(1000);
        _solvent();
        // What is inside already is owed as before, and leaves less the fee, which is its owner's.
        advanceSeconds(1 days);
        wrapUp(id);
        uint256 credit = registry.creditOf(hosts[0]);
        uint256 before = token.balanceOf(hosts[0]);
        vm.prank(hosts[0]);
        registry.withdraw(hosts[0]);
        eq(token.balanceOf(hosts[0]) - before, credit - credit / 100, "less the fee");
        _solvent();
    }

    function _arrives(uint256 amount) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeRegistry.StakeRegistry_UnexpectedAmount.selector, amount, amount - amount / 100
            )
        );
    }
}

/// @notice Refuses accounts, as the issuers of dollars do.
contract BlocklistTokenTest is OddTokenTest {
    function newToken() internal override returns (TestToken) {
        return TestToken(address(new BlocklistToken(type(uint200).max)));
    }

    function test_blocked_accounts_stop_nobody_and_lose_nothing() external {
        // A host, the client, the funder and the sink are blocked after they paid: everything goes on to its end.
        fund(stranger);
        RequestId id = start(exampleRequest());
        vm.prank(stranger);
        market.extendRequest(id, 1 hours);
        address[4] memory blocked = [hosts[0], client, stranger, sink];
        for (uint256 i; i < 4; ++i) {
            BlocklistToken(address(token)).block_(blocked[i]);
        }
        lose(id, 0);
        advanceSeconds(config().repairWindow);
        reserve(id, 0, hosts[3]);
        advanceSeconds(config().reserveSeconds);
        fill(id, 0, hosts[4]);
        isTrue(registry.creditOf(sink) != 0, "a bond for the blocked sink");
        advanceSeconds(1 days + 1 hours + config().settleSeconds);
        for (uint16 i; i < 3; ++i) {
            market.settle(id.slotId(i));
        }
        market.closeRequest(id);
        vm.prank(hosts[1]);
        registry.withdraw(hosts[1]);
        vm.prank(validator);
        registry.withdraw(validator);
        for (uint256 i; i < 4; ++i) {
            uint256 credit = registry.creditOf(blocked[i]);
            if (i == 0) continue; // lost, and never paid
            isTrue(credit != 0, "owed something");
            vm.expectRevert(abi.encodeWithSelector(BlocklistToken.Blocked.selector, blocked[i]));
            vm.prank(blocked[i]);
            registry.withdraw(blocked[i]);
            vm.prank(blocked[i]);
            registry.withdraw(address(uint160(0xE15E + i)));
            eq(token.balanceOf(address(uint160(0xE15E + i))), credit, "elsewhere");
        }
        _solvent();
    }

    function test_a_blocked_account_pays_nothing_in() external {
        RequestId id = start(exampleRequest());
        BlocklistToken(address(token)).block_(client);
        BlocklistToken(address(token)).block_(hosts[0]);
        vm.expectRevert(abi.encodeWithSelector(BlocklistToken.Blocked.selector, client));
        vm.prank(client);
        market.extendRequest(id, 1 hours);
        vm.expectRevert(abi.encodeWithSelector(BlocklistToken.Blocked.selector, hosts[0]));
        vm.prank(hosts[0]);
        registry.deposit(1);
    }
}

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
contract HookTokenTest is OddTokenTest {
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
