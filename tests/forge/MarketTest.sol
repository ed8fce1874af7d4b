// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Marketplace} from "../../contracts/Marketplace.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {MarketConfig, RequestRecord, SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {
    Ask,
    Content,
    Period,
    Request,
    RequestId,
    RequestState,
    SlotId,
    SlotState
} from "../../contracts/libraries/Types.sol";
import {AcceptAllVerifier} from "../../contracts/test/AcceptAllVerifier.sol";
import {Test} from "./Cheats.sol";

/// @notice The block-hash history of EIP-2935, for the made-up hashes of forge's chain.
contract HistoryContract {
    fallback() external {
        uint256 number = abi.decode(msg.data, (uint256));
        require(number < block.number && block.number - number <= 8191);
        bytes32 hash = keccak256(bytes(Strings.toString(number)));
        assembly ("memory-safe") {
            mstore(0, hash)
            return(0, 32)
        }
    }
}

/// @notice A market with staked hosts, and the states tests begin in.
abstract contract MarketTest is Test {
    uint256 internal constant BLOCK_SECONDS = 12;
    uint128 internal constant MIN_STAKE = 1e18;
    uint256 internal constant HOST_STAKE = 1e24;

    TestToken internal token;
    StakeRegistry internal registry;
    Marketplace internal market;

    address internal immutable client = address(0xC11E47);
    address internal immutable validator = address(0x7A11DA);
    address internal immutable sink = address(0x5111);
    address internal immutable stranger = address(0x57A9);
    address[] internal hosts;

    function setUp() public virtual {
        vm.etch(0x0000F90827F1C53a10cb7A02335B175320002935, type(HistoryContract).runtimeCode);
        vm.roll(20_000);
        vm.warp(1_800_000_000);
        token = newToken();
        address[] memory modules = new address[](2);
        modules[0] = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        modules[1] = address(this);
        AcceptAllVerifier verifier = new AcceptAllVerifier();
        registry = new StakeRegistry(token, StakeConfig(MIN_STAKE, 1, 1 days, sink), modules);
        market = new Marketplace(registry, verifier, config());
        for (uint160 i; i < 5; ++i) {
            hosts.push(address(0x4051000 + i));
            addProvider(hosts[i], HOST_STAKE);
        }
        fund(client);
        advance(1);
    }

    /// @dev What the market deals in: the whole supply is this test's.
    function newToken() internal virtual returns (TestToken) {
        return new TestToken(type(uint200).max);
    }

    function config() internal view virtual returns (MarketConfig memory) {
        return MarketConfig({
            periodBlocks: 10,
            blockSeconds: uint64(BLOCK_SECONDS),
            markBlocks: 40,
            settleSeconds: 1200,
            maxMisses: 3,
            slashBps: 2000,
            validatorBps: 1000,
            bountyBps: 5000,
            bondBps: 500,
            reserveSeconds: 300,
            repairWindow: 600,
            minTermPeriods: 2,
            maxDuration: 30 days,
            minExtension: 1 hours
        });
    }

    /// @dev Three slots of which one may be lost; a proof is required in every period.
    function exampleRequest() internal view returns (Request memory) {
        Ask memory ask = Ask({
            proofProbability: 1,
            slots: 3,
            maxSlotLoss: 1,
            repairThreshold: 1,
            dispersal: 2500,
            slotSize: 1 << 20,
            duration: 1 days,
            pricePerBytePerSecond: 1e6,
            collateralPerByte: 1e13
        });
        return Request(client, ask, Content(keccak256("manifest"), 1234), 1 hours, bytes32(0));
    }

    // --- acting ---

    function advance(uint256 blocks) internal {
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + blocks * BLOCK_SECONDS);
    }

    function advanceSeconds(uint256 seconds_) internal {
        advance((seconds_ + BLOCK_SECONDS - 1) / BLOCK_SECONDS);
    }

    /// @dev To the second block of the next period.
    function nextPeriod() internal returns (Period period) {
        uint256 current = Period.unwrap(market.currentPeriod());
        advance((current + 1) * config().periodBlocks + 1 - vm.getBlockNumber());
        return market.currentPeriod();
    }

    function fund(address account) internal virtual {
        token.transfer(account, 1e30);
        vm.prank(account);
        token.approve(address(registry), type(uint256).max);
    }

    function addProvider(address account, uint256 stake) internal {
        fund(account);
        vm.prank(account);
        registry.register("http://host");
        vm.prank(account);
        registry.deposit(stake);
    }

    function post(Request memory request) internal returns (RequestId) {
        vm.prank(request.client);
        return market.requestStorage(request);
    }

    /// @dev Posts and waits until everyone is eligible.
    function postAndOpen(Request memory request) internal returns (RequestId id) {
        id = post(request);
        advanceSeconds(request.expiry / 2);
    }

    function reserve(RequestId id, uint16 index, address host) internal {
        vm.prank(host);
        market.reserveSlot(id, index);
    }

    function fill(RequestId id, uint16 index, address host) internal {
        reserve(id, index, host);
        advance(1);
        if (vm.getBlockNumber() % config().periodBlocks == 0) advance(1);
        vm.prank(host);
        market.fillSlot(id.slotId(index), anyProof());
    }

    function start(Request memory request) internal returns (RequestId id) {
        id = postAndOpen(request);
        for (uint16 i; i < request.ask.slots; ++i) {
            fill(id, i, hosts[i]);
        }
        isTrue(market.requestOf(id).state == RequestState.Started, "started");
    }

    function prove(RequestId id, uint16 index) internal {
        SlotId slotId = id.slotId(index);
        address host = market.slotOf(slotId).host;
        Period period = market.currentPeriod();
        vm.prank(host);
        market.submitProof(slotId, period, anyProof());
    }

    function mark(RequestId id, uint16 index, Period period) internal {
        vm.prank(validator);
        market.markProofMissing(id.slotId(index), period);
    }

    /// @dev All other slots of a started request are proven while `index` misses until it is lost.
    function lose(RequestId id, uint16 index) internal {
        for (uint256 i; i < config().maxMisses; ++i) {
            Period missed = nextPeriod();
            for (uint16 other; other < market.requestOf(id).slots; ++other) {
                SlotRecord memory slot = market.slotOf(id.slotId(other));
                if (other != index && slot.state == SlotState.Filled && slot.fillPeriod < Period.unwrap(missed)) {
                    prove(id, other);
                }
            }
            nextPeriod();
            mark(id, index, missed);
        }
    }

    /// @dev Settles whatever is settleable once nothing more can happen, and closes the request.
    function wrapUp(RequestId id) internal {
        RequestRecord memory request = market.requestOf(id);
        advanceSeconds(config().settleSeconds + config().reserveSeconds);
        for (uint16 i; i < request.slots; ++i) {
            SlotState state = market.slotOf(id.slotId(i)).state;
            if (state == SlotState.Reserved) market.closeReservation(id.slotId(i));
            if (state == SlotState.Filled) market.settle(id.slotId(i));
        }
        market.closeRequest(id);
    }

    function anyProof() internal pure returns (Groth16Proof memory proof) {
        proof.a.x = 1;
    }

    // --- amounts ---

    function collateralOf(Request memory request) internal pure returns (uint256) {
        return uint256(request.ask.collateralPerByte) * request.ask.slotSize;
    }

    function rateOf(Request memory request) internal pure returns (uint256) {
        return uint256(request.ask.pricePerBytePerSecond) * request.ask.slotSize;
    }

    function stakeOf(address host) internal view returns (uint256) {
        return uint256(registry.providerOf(host).free) + registry.providerOf(host).locked;
    }
}
