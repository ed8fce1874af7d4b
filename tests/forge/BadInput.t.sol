// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace} from "../../contracts/interfaces/IMarketplace.sol";
import {IStakeRegistry} from "../../contracts/interfaces/IStakeRegistry.sol";
import {
    Amount,
    AskField,
    Period,
    Request,
    RequestId,
    RequestState,
    SlotId,
    SlotState
} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice Calls that make no sense: each is refused by its own error, and changes nothing.
contract BadInputTest is MarketTest {
    uint40 internal constant WHENEVER = type(uint40).max;

    RequestId internal id;

    // --- what is not there ---

    function test_every_call_refuses_an_unknown_request() external {
        id = RequestId.wrap(bytes32(uint256(0x1234_00)));
        bytes memory unknown = abi.encodeWithSelector(IMarketplace.Marketplace_UnknownRequest.selector, id);
        bytes memory nothing = abi.encodeWithSelector(IMarketplace.Marketplace_NothingApplies.selector);
        nextPeriod();
        bytes[] memory calls = _calls(5);
        for (uint256 i; i < calls.length; ++i) {
            bool batch = bytes4(calls[i]) == market.submitProofs.selector
                || bytes4(calls[i]) == market.markProofsMissing.selector;
            _refused(hosts[0], calls[i], batch ? nothing : unknown);
        }
        _refused(hosts[0], abi.encodeCall(market.requestOf, (id)), unknown);
        _refused(hosts[0], abi.encodeCall(market.slotOf, (id.slotId(5))), unknown);
        _refused(hosts[0], abi.encodeCall(market.placementOf, (hosts[0], id, 5)), unknown);
        isTrue(!market.isProofRequired(id.slotId(5), market.currentPeriod()), "nothing is required");
        eq(market.claimable(id.slotId(5)), 0, "nothing is claimable");
    }

    function test_every_call_refuses_a_slot_index_out_of_range() external {
        id = start(exampleRequest());
        nextPeriod();
        bytes memory none = abi.encodeWithSelector(IMarketplace.Marketplace_NoSuchSlot.selector, 3, 3);
        _refused(hosts[4], abi.encodeCall(market.reserveSlot, (id, 3)), none);
        _refused(hosts[4], abi.encodeCall(market.slotOf, (id.slotId(3))), none);
        _refused(hosts[4], abi.encodeCall(market.placementOf, (hosts[4], id, 3)), none);
        // A slot that is none is never held by anybody.
        bytes memory notFilled = abi.encodeWithSelector(IMarketplace.Marketplace_NotFilled.selector, SlotState.Free);
        bytes memory notReserved = abi.encodeWithSelector(IMarketplace.Marketplace_NotReserved.selector, SlotState.Free);
        SlotId slot = id.slotId(3);
        Period current = market.currentPeriod();
        Period last = Period.wrap(Period.unwrap(current) - 1);
        _refused(hosts[0], abi.encodeCall(market.closeReservation, (slot)), notReserved);
        _refused(hosts[0], abi.encodeCall(market.fillSlot, (slot, anyProof())), notReserved);
        _refused(hosts[0], abi.encodeCall(market.submitProof, (slot, current, anyProof())), notFilled);
        _refused(hosts[0], abi.encodeCall(market.acceptExtension, (slot, WHENEVER)), notFilled);
        _refused(hosts[0], abi.encodeCall(market.claim, (slot)), notFilled);
        _refused(hosts[0], abi.encodeCall(market.settle, (slot)), notFilled);
        _refused(hosts[0], abi.encodeCall(market.markProofMissing, (slot, last)), notFilled);
        bytes memory wide = abi.encodeWithSelector(IMarketplace.Marketplace_NoSuchSlot.selector, 65_535, 3);
        _refused(hosts[4], abi.encodeCall(market.reserveSlot, (id, 65_535)), wide);
    }

    // --- who and when ---

    function test_every_call_refuses_the_wrong_caller() external {
        id = postAndOpen(exampleRequest());
        reserve(id, 0, hosts[0]);
        nextPeriod();
        bytes memory notReserver =
            abi.encodeWithSelector(IMarketplace.Marketplace_NotReserver.selector, hosts[0], hosts[1]);
        _refused(hosts[1], abi.encodeCall(market.fillSlot, (id.slotId(0), anyProof())), notReserver);
        vm.prank(hosts[0]);
        market.fillSlot(id.slotId(0), anyProof());
        fill(id, 1, hosts[1]);
        fill(id, 2, hosts[2]);
        vm.prank(client);
        market.extendRequest(id, 1 hours);
        Period current = nextPeriod();
        bytes memory notHost = abi.encodeWithSelector(IMarketplace.Marketplace_NotHost.selector, hosts[0], hosts[1]);
        _refused(hosts[1], abi.encodeCall(market.submitProof, (id.slotId(0), current, anyProof())), notHost);
        _refused(hosts[1], abi.encodeCall(market.acceptExtension, (id.slotId(0), WHENEVER)), notHost);
        Request memory request = exampleRequest();
        bytes memory notClient = abi.encodeWithSelector(IMarketplace.Marketplace_NotClient.selector, client, hosts[1]);
        _refused(hosts[1], abi.encodeCall(market.requestStorage, (request)), notClient);
        _refused(hosts[1], abi.encodeCall(market.requestStorageWithPermit, (request, 1, 27, 0, 0)), notClient);
        bytes memory reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NotRegistered.selector, stranger);
        _refusedByVault(stranger, abi.encodeCall(registry.deposit, (1)), reason);
        _refusedByVault(stranger, abi.encodeCall(registry.depositWithPermit, (1, 1, 27, 0, 0)), reason);
        _refusedByVault(stranger, abi.encodeCall(registry.unstake, (1)), reason);
        _refusedByVault(stranger, abi.encodeCall(registry.collectUnbonded, ()), reason);
        _refusedByVault(stranger, abi.encodeCall(registry.setEndpoint, ("http://x")), reason);
        reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_AlreadyRegistered.selector, hosts[0]);
        _refusedByVault(hosts[0], abi.encodeCall(registry.register, ("http://x")), reason);
        reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NothingToWithdraw.selector);
        _refusedByVault(stranger, abi.encodeCall(registry.withdraw, (stranger)), reason);
    }

    function test_who_never_staked_reserves_nothing() external {
        id = post(exampleRequest());
        uint256 seedBlock = vm.getBlockNumber();
        advanceSeconds(1 hours / 2);
        bytes memory late = abi.encodeWithSelector(IMarketplace.Marketplace_StakedTooLate.selector, 0, seedBlock);
        _refused(stranger, abi.encodeCall(market.reserveSlot, (id, 0)), late);
        // One registered and staked less than the least.
        vm.prank(stranger);
        registry.register("http://x");
        _refused(stranger, abi.encodeCall(market.reserveSlot, (id, 0)), late);
    }

    function test_every_state_of_a_slot_refuses_what_is_for_another() external {
        Request memory request = exampleRequest();
        request.ask.slots = 5;
        request.ask.maxSlotLoss = 3;
        id = postAndOpen(request);
        // Free, Reserved, Filled before the start.
        reserve(id, 1, hosts[1]);
        fill(id, 2, hosts[2]);
        _onlyFor(0, SlotState.Free);
        _onlyFor(1, SlotState.Reserved);
        _onlyFor(2, SlotState.Filled);
        advanceSeconds(config().reserveSeconds);
        market.closeReservation(id.slotId(1));
        uint16[4] memory rest = [uint16(0), 1, 3, 4];
        for (uint256 i; i < 4; ++i) {
            fill(id, rest[i], hosts[rest[i]]);
        }
        // Lost and Departed, then Settled.
        lose(id, 4);
        _onlyFor(4, SlotState.Lost);
        uint256 end = market.requestOf(id).endsAt;
        vm.prank(client);
        market.extendRequest(id, 2 days);
        advanceSeconds(end - vm.getBlockTimestamp() + config().settleSeconds);
        market.settle(id.slotId(3));
        _onlyFor(3, SlotState.Departed);
        advanceSeconds(2 days);
        market.settle(id.slotId(2));
        _onlyFor(2, SlotState.Settled);
    }

    function test_every_state_of_a_request_refuses_what_is_for_another() external {
        Request memory request = exampleRequest();
        request.ask.maxSlotLoss = 0;
        // New
        id = post(request);
        _notTerminal(RequestState.New);
        bytes memory notStarted = abi.encodeWithSelector(IMarketplace.Marketplace_NotStarted.selector, RequestState.New);
        _refused(client, abi.encodeCall(market.extendRequest, (id, 1 days)), notStarted);
        _refused(
            client,
            abi.encodeCall(market.requestStorage, (request)),
            _withId(IMarketplace.Marketplace_RequestExists.selector)
        );
        // Started
        advanceSeconds(request.expiry / 2);
        for (uint16 i; i < 3; ++i) {
            fill(id, i, hosts[i]);
        }
        _notTerminal(RequestState.Started);
        _refused(
            hosts[0],
            abi.encodeCall(market.acceptExtension, (id.slotId(0), WHENEVER)),
            abi.encodeWithSelector(IMarketplace.Marketplace_NothingToAccept.selector)
        );
        // Failed
        lose(id, 2);
        bytes memory ended = abi.encodeWithSelector(IMarketplace.Marketplace_RequestEnded.selector, RequestState.Failed);
        _refused(hosts[4], abi.encodeCall(market.reserveSlot, (id, 2)), ended);
        _refused(hosts[0], abi.encodeCall(market.acceptExtension, (id.slotId(0), WHENEVER)), ended);
        notStarted = abi.encodeWithSelector(IMarketplace.Marketplace_NotStarted.selector, RequestState.Failed);
        _refused(client, abi.encodeCall(market.extendRequest, (id, 1 days)), notStarted);
        wrapUp(id);
        bytes memory closed = abi.encodeWithSelector(IMarketplace.Marketplace_AlreadyClosed.selector);
        _refused(client, abi.encodeCall(market.closeRequest, (id)), closed);
        _refused(
            client,
            abi.encodeCall(market.requestStorage, (request)),
            _withId(IMarketplace.Marketplace_RequestExists.selector)
        );
    }

    function test_a_cancelled_request_takes_no_fill_and_a_finished_one_no_host() external {
        Request memory request = exampleRequest();
        id = post(request);
        advanceSeconds(request.expiry - 3 * BLOCK_SECONDS);
        reserve(id, 0, hosts[0]);
        uint256 deadline = market.slotOf(id.slotId(0)).heldUntil;
        advance(4);
        bytes memory over = abi.encodeWithSelector(IMarketplace.Marketplace_ReservationOver.selector, deadline);
        _refused(hosts[0], abi.encodeCall(market.fillSlot, (id.slotId(0), anyProof())), over);
        bytes memory ended =
            abi.encodeWithSelector(IMarketplace.Marketplace_RequestEnded.selector, RequestState.Cancelled);
        _refused(hosts[1], abi.encodeCall(market.reserveSlot, (id, 1)), ended);

        request.nonce = bytes32(uint256(1));
        id = start(request);
        uint256 end = market.requestOf(id).endsAt;
        advanceSeconds(end - vm.getBlockTimestamp());
        Period current = nextPeriod();
        ended = abi.encodeWithSelector(IMarketplace.Marketplace_RequestEnded.selector, RequestState.Finished);
        _refused(hosts[4], abi.encodeCall(market.reserveSlot, (id, 0)), ended);
        _refused(hosts[0], abi.encodeCall(market.acceptExtension, (id.slotId(0), WHENEVER)), ended);
        bytes memory slotEnded = abi.encodeWithSelector(IMarketplace.Marketplace_SlotEnded.selector, end);
        _refused(hosts[0], abi.encodeCall(market.submitProof, (id.slotId(0), current, anyProof())), slotEnded);
    }

    // --- nothing, and too much ---

    function test_zero_everything_is_refused() external {
        Request memory request;
        bytes memory reason = abi.encodeWithSelector(IMarketplace.Marketplace_NotClient.selector, address(0), client);
        _refused(client, abi.encodeCall(market.requestStorage, (request)), reason);
        request.client = client;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Slots));
        id = start(exampleRequest());
        reason = abi.encodeWithSelector(IMarketplace.Marketplace_ExtensionTooShort.selector, 0, 1 hours);
        _refused(client, abi.encodeCall(market.extendRequest, (id, 0)), reason);
        nextPeriod();
        bytes memory nothing = abi.encodeWithSelector(IMarketplace.Marketplace_NothingApplies.selector);
        _refused(hosts[0], abi.encodeCall(market.submitProofs, (new SlotId[](0), new Groth16Proof[](0))), nothing);
        Period last = Period.wrap(Period.unwrap(market.currentPeriod()) - 1);
        _refused(hosts[0], abi.encodeCall(market.markProofsMissing, (new SlotId[](0), last)), nothing);
        _refused(hosts[0], abi.encodeCall(market.markProofsMissing, (new SlotId[](3), last)), nothing);
        reason = abi.encodeWithSelector(IMarketplace.Marketplace_LengthMismatch.selector, 2, 1);
        _refused(hosts[0], abi.encodeCall(market.submitProofs, (new SlotId[](2), new Groth16Proof[](1))), reason);
        Groth16Proof memory none;
        Period current = market.currentPeriod();
        reason = abi.encodeWithSelector(IMarketplace.Marketplace_InvalidProof.selector);
        _refused(hosts[0], abi.encodeCall(market.submitProof, (id.slotId(0), current, none)), reason);
        reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_ZeroAmount.selector);
        _refusedByVault(hosts[0], abi.encodeCall(registry.deposit, (0)), reason);
        _refusedByVault(hosts[0], abi.encodeCall(registry.unstake, (0)), reason);
        reason = abi.encodeWithSelector(IStakeRegistry.StakeRegistry_NothingUnbonding.selector);
        _refusedByVault(hosts[0], abi.encodeCall(registry.collectUnbonded, ()), reason);
    }

    function test_all_the_type_limits_at_once_are_refused() external {
        Request memory request = exampleRequest();
        request.ask.duration = type(uint40).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Duration));
        request.expiry = type(uint40).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Duration));
        request.ask.duration = 1 days;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Expiry));
        request.ask.slots = type(uint16).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Slots));
        request = exampleRequest();
        request.ask.maxSlotLoss = type(uint16).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.MaxSlotLoss));
        request = exampleRequest();
        request.ask.repairThreshold = type(uint16).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.RepairThreshold));
        request = exampleRequest();
        request.content.root = type(uint256).max;
        _refused(client, abi.encodeCall(market.requestStorage, (request)), _invalid(AskField.Root));
    }

    function test_extensions_at_type_limits_are_refused() external {
        Request memory request = exampleRequest();
        request.ask.slotSize = 1;
        request.ask.pricePerBytePerSecond = type(uint128).max / 3 / 1 days;
        token.transfer(client, type(uint128).max);
        id = start(request);
        bytes memory dear = abi.encodeWithSelector(IMarketplace.Marketplace_AmountTooLarge.selector, Amount.Price);
        _refused(client, abi.encodeCall(market.extendRequest, (id, 1 hours)), dear);
        _refused(client, abi.encodeCall(market.extendRequest, (id, type(uint40).max)), _invalid(AskField.Duration));
        _refused(client, abi.encodeCall(market.extendRequest, (id, 30 days)), _invalid(AskField.Duration));
    }

    function test_periods_at_type_limits_are_refused() external {
        id = start(exampleRequest());
        uint64 current = Period.unwrap(nextPeriod());
        uint64[3] memory others = [uint64(0), current + 1, type(uint64).max];
        for (uint256 i; i < 3; ++i) {
            Period period = Period.wrap(others[i]);
            bytes memory wrong = abi.encodeWithSelector(IMarketplace.Marketplace_WrongPeriod.selector, period, current);
            _refused(hosts[0], abi.encodeCall(market.submitProof, (id.slotId(0), period, anyProof())), wrong);
            uint256 first = (uint256(others[i]) + 1) * config().periodBlocks;
            bytes memory not =
                abi.encodeWithSelector(IMarketplace.Marketplace_NotMarkableNow.selector, first, first + 40);
            _refused(validator, abi.encodeCall(market.markProofMissing, (id.slotId(0), period)), not);
            _refused(validator, abi.encodeCall(market.markProofsMissing, (new SlotId[](1), period)), not);
        }
    }

    function test_a_garbled_permit_leaves_the_transfer_to_decide() external {
        token.transfer(stranger, 1e30);
        Request memory request = exampleRequest();
        request.client = stranger;
        uint256 price = rateOf(request) * 3 days;
        bytes memory poor =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, price);
        _refused(stranger, abi.encodeCall(market.requestStorageWithPermit, (request, WHENEVER, 99, "r", "s")), poor);
        id = start(exampleRequest());
        poor = abi.encodeWithSelector(
            IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, rateOf(request) * 3 hours
        );
        _refused(stranger, abi.encodeCall(market.extendRequestWithPermit, (id, 1 hours, 0, 27, "r", "s")), poor);
        vm.prank(stranger);
        registry.register("http://x");
        poor = abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(registry), 0, 7);
        _refusedByVault(stranger, abi.encodeCall(registry.depositWithPermit, (7, WHENEVER, 27, "r", "s")), poor);
    }

    // --- what these tests are made of ---

    /// @dev Every call that changes something of a request, of the slot with this index.
    function _calls(uint16 index) internal view returns (bytes[] memory calls) {
        SlotId slot = id.slotId(index);
        SlotId[] memory slots = new SlotId[](1);
        slots[0] = slot;
        Period current = market.currentPeriod();
        Period last = Period.wrap(Period.unwrap(current) - 1);
        calls = new bytes[](13);
        calls[0] = abi.encodeCall(market.extendRequest, (id, 1 days));
        calls[1] = abi.encodeCall(market.extendRequestWithPermit, (id, 1 days, 1, 27, 0, 0));
        calls[2] = abi.encodeCall(market.closeRequest, (id));
        calls[3] = abi.encodeCall(market.reserveSlot, (id, index));
        calls[4] = abi.encodeCall(market.closeReservation, (slot));
        calls[5] = abi.encodeCall(market.fillSlot, (slot, anyProof()));
        calls[6] = abi.encodeCall(market.submitProof, (slot, current, anyProof()));
        calls[7] = abi.encodeCall(market.submitProofs, (slots, new Groth16Proof[](1)));
        calls[8] = abi.encodeCall(market.acceptExtension, (slot, WHENEVER));
        calls[9] = abi.encodeCall(market.claim, (slot));
        calls[10] = abi.encodeCall(market.settle, (slot));
        calls[11] = abi.encodeCall(market.markProofMissing, (slot, last));
        calls[12] = abi.encodeCall(market.markProofsMissing, (slots, last));
    }

    /// @dev What needs a reserved or a filled slot is refused in every other state, which the error names.
    function _onlyFor(uint16 index, SlotState state) internal {
        isTrue(market.slotOf(id.slotId(index)).state == state, "the state in question");
        nextPeriod();
        bytes memory notReserved = abi.encodeWithSelector(IMarketplace.Marketplace_NotReserved.selector, state);
        bytes memory notFilled = abi.encodeWithSelector(IMarketplace.Marketplace_NotFilled.selector, state);
        bytes[] memory calls = _calls(index);
        for (uint256 i = 4; i < calls.length; ++i) {
            if (i == 7 || i == 12) continue;
            if (i < 6 && state != SlotState.Reserved) _refused(hosts[0], calls[i], notReserved);
            if (i >= 6 && state != SlotState.Filled) _refused(hosts[0], calls[i], notFilled);
        }
        if (state != SlotState.Filled && state != SlotState.Settled) return;
        if (!(market.requestOf(id).state == RequestState.Finished)) {
            bytes memory notFree = abi.encodeWithSelector(IMarketplace.Marketplace_SlotNotFree.selector, state);
            _refused(hosts[0], calls[3], notFree);
        }
    }

    function _notTerminal(RequestState state) internal {
        bytes memory reason = abi.encodeWithSelector(IMarketplace.Marketplace_NotTerminal.selector, state);
        _refused(client, abi.encodeCall(market.closeRequest, (id)), reason);
    }

    function _invalid(AskField field) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMarketplace.Marketplace_InvalidAsk.selector, field);
    }

    function _withId(bytes4 selector) internal view returns (bytes memory) {
        return abi.encodeWithSelector(selector, id);
    }

    function _refused(address who, bytes memory data, bytes memory reason) internal {
        _refusedBy(address(market), who, data, reason);
    }

    function _refusedByVault(address who, bytes memory data, bytes memory reason) internal {
        _refusedBy(address(registry), who, data, reason);
    }

    function _refusedBy(address to, address who, bytes memory data, bytes memory reason) private {
        uint256 owed = registry.liabilities();
        vm.prank(who);
        (bool done, bytes memory answer) = to.call(data);
        if (done || keccak256(answer) != keccak256(reason)) revert Unexpected(data, answer, reason);
        eq(registry.liabilities(), owed, "a refused call");
    }

    error Unexpected(bytes call, bytes found, bytes expected);
}
