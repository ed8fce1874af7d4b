// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AcceptAllVerifier} from "../../contracts/test/AcceptAllVerifier.sol";
import {Marketplace} from "../../contracts/Marketplace.sol";
import {StakeRegistry} from "../../contracts/StakeRegistry.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {G1Point, G2Point, Fp2Element, Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {MarketConfig} from "../../contracts/interfaces/IMarketplace.sol";
import {StakeConfig} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Ask, Content, Request, RequestId, SlotId} from "../../contracts/libraries/Types.sol";

interface Vm {
    function prank(address) external;
    function startPrank(address) external;
    function stopPrank() external;
    function roll(uint256) external;
    function warp(uint256) external;
    function etch(address, bytes calldata) external;
    function store(address, bytes32, bytes32) external;
    function expectRevert(bytes4) external;
    function expectRevert(bytes calldata) external;
    function computeCreateAddress(address, uint256) external pure returns (address);
    function getNonce(address) external view returns (uint64);
    function readFile(string calldata) external view returns (string memory);
    function parseJsonUintArray(string calldata, string calldata) external pure returns (uint256[] memory);
    function setBlockhash(uint256, bytes32) external;
}

/// @notice A market on forge's chain: an accept-all verifier, funded accounts, blocks two seconds apart.
abstract contract Ground {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public IS_TEST = true;

    uint256 internal constant PERIOD = 10;
    address internal constant SINK = address(0x51);
    address internal constant CLIENT = address(0xC1);
    address internal constant VALIDATOR = address(0xAA);

    TestToken internal token;
    StakeRegistry internal registry;
    Marketplace internal market;

    function setUp() public virtual {
        vm.roll(1000);
        vm.warp(1_800_000_000);
        token = new TestToken(1e30);
        AcceptAllVerifier verifier = new AcceptAllVerifier();
        address[] memory modules = new address[](1);
        modules[0] = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        registry = new StakeRegistry(token, StakeConfig(100e18, 1, 1 days, SINK), modules);
        market = new Marketplace(registry, verifier, config());
        token.transfer(CLIENT, 1e27);
        vm.prank(CLIENT);
        token.approve(address(registry), type(uint256).max);
    }

    function config() internal pure returns (MarketConfig memory) {
        return MarketConfig({
            periodBlocks: uint64(PERIOD),
            blockSeconds: 1,
            markBlocks: 40,
            settleSeconds: 100,
            maxMisses: 3,
            slashBps: 1000,
            validatorBps: 2000,
            bountyBps: 5000,
            bondBps: 500,
            reserveSeconds: 60,
            repairWindow: 100,
            minTermPeriods: 2,
            maxDuration: 30 days
        });
    }

    function ask() internal pure returns (Ask memory) {
        return Ask({
            proofProbability: 1,
            slots: 3,
            maxSlotLoss: 1,
            repairThreshold: 1,
            dispersal: 5000,
            slotSize: 1 << 20,
            duration: 10_000,
            pricePerBytePerSecond: 1000,
            collateralPerByte: 1e9
        });
    }

    function request() internal pure returns (Request memory) {
        return Request(CLIENT, ask(), Content(bytes32(uint256(1)), 7), 1000, bytes32(uint256(1)));
    }

    function provider(uint256 n) internal pure returns (address) {
        return address(uint160(0x1000 + n));
    }

    function join(uint256 n) internal {
        address account = provider(n);
        token.transfer(account, 1e24);
        vm.startPrank(account);
        token.approve(address(registry), type(uint256).max);
        registry.register("http://host");
        registry.deposit(1e22);
        vm.stopPrank();
    }

    function advance(uint256 blocks) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + 2 * blocks);
    }

    function proof() internal pure returns (Groth16Proof memory) {
        return Groth16Proof(G1Point(1, 2), G2Point(Fp2Element(1, 2), Fp2Element(3, 4)), G1Point(1, 2));
    }

    function assertEq(uint256 a, uint256 b) internal pure {
        require(a == b, "not equal");
    }

    function assertTrue(bool truth) internal pure {
        require(truth, "not true");
    }
}
