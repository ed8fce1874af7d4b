// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Provider} from "../../contracts/interfaces/IStakeRegistry.sol";
import {PublicInputs} from "../../contracts/libraries/PublicInputs.sol";
import {Period, Request, RequestId, SlotId} from "../../contracts/libraries/Types.sol";
import {Forger} from "../forge/Forger.sol";
import {MarketTest} from "../forge/MarketTest.sol";

/// @notice What attackers can do. One test an attack: it fails once the rule that answers it is taken away, and
/// mutations.toml says how to take it away.
abstract contract AttackTest is MarketTest {
    uint40 internal constant WHENEVER = type(uint40).max;
    uint256 internal constant ROOT = 1234;

    Forger internal forger;

    // --- acting ---

    function extend(RequestId id, address funder, uint256 extra) internal {
        vm.prank(funder);
        market.extendRequest(id, uint40(extra));
    }

    function accept(RequestId id, uint16 index) internal {
        SlotId slotId = id.slotId(index);
        address host = market.slotOf(slotId).host;
        vm.prank(host);
        market.acceptExtension(slotId, WHENEVER);
    }

    function settle(RequestId id, uint16 index) internal {
        market.settle(id.slotId(index));
    }

    /// @dev Past the end of whatever began no more than `seconds_` ago and past its settlement.
    function waitSettlable(uint256 end) internal {
        uint256 until = end + config().settleSeconds;
        if (vm.getBlockTimestamp() < until) advanceSeconds(until - vm.getBlockTimestamp());
    }

    /// @dev The next call of the market is refused with an error of these arguments.
    function refused(bytes memory reason) internal {
        vm.expectRevert(reason);
    }

    function refused(bytes4 kind) internal {
        vm.expectPartialRevert(kind);
    }

    // --- proofs that are proofs ---

    /// @dev From here on the market's verifier is the devnet profile's, and the forger proves whatever it is asked to.
    function demandProofs() internal {
        forger = new Forger();
        vm.etch(address(market.verifier()), address(forger).code);
    }

    function publicsOf(SlotId slotId, Period period, uint256 root, uint256 index)
        internal
        view
        returns (uint256[3] memory)
    {
        return [PublicInputs.entropy(market.challengeOf(slotId, period)), root, index];
    }

    /// @dev What somebody who has the slot proves.
    function proofOf(RequestId id, uint16 index) internal view returns (Groth16Proof memory) {
        return forger.forge(7 + index, publicsOf(id.slotId(index), market.currentPeriod(), ROOT, index));
    }

    /// @dev Reserves and fills with a real proof.
    function fillProven(RequestId id, uint16 index, address host) internal {
        reserve(id, index, host);
        nextPeriod();
        Groth16Proof memory proof = proofOf(id, index);
        vm.prank(host);
        market.fillSlot(id.slotId(index), proof);
    }

    function startProven(Request memory request) internal returns (RequestId id) {
        id = postAndOpen(request);
        for (uint16 i; i < request.ask.slots; ++i) {
            fillProven(id, i, hosts[i]);
        }
    }

    // --- amounts ---

    /// @dev All an account has: tokens, credit, and stake wherever it is.
    function wealthOf(address account) internal view returns (uint256) {
        Provider memory provider = registry.providerOf(account);
        return
            token.balanceOf(account) + registry.creditOf(account) + provider.free + provider.locked + provider.unbonding;
    }

    function slotOf(RequestId id, uint16 index) internal view returns (SlotRecord memory) {
        return market.slotOf(id.slotId(index));
    }

    function endOf(RequestId id) internal view returns (uint256) {
        return market.requestOf(id).endsAt;
    }

    function now_() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function solvent() internal view {
        eq(token.balanceOf(address(registry)), registry.liabilities(), "the vault holds what it owes");
    }

    /// @dev After everything was closed.
    function nothingStranded() internal view {
        solvent();
        eq(registry.poolOf(address(market)), 0, "nothing is stranded");
    }
}

/// @notice Strangers with money.
abstract contract FundersTest is AttackTest {
    uint256 internal constant EXTRA = 6 hours;

    address internal immutable funder = address(0xF04DE4);

    function setUp() public override {
        super.setUp();
        fund(funder);
        fund(stranger);
    }
}
