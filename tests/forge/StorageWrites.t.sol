// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {Period, Request, RequestId, SlotId} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice Which words of storage the market's frequent calls write: those that docs/market.md gives a reason for, and no
/// others. tests/vectors/market_machine.json has its table, as "call: word".
contract StorageWritesTest is MarketTest {
    RequestId internal id;
    mapping(bytes32 word => string) internal names;
    mapping(bytes32 fact => bool) internal isTold;
    mapping(bytes32 fact => bool) internal isSeen;

    function test_every_write_has_a_reason_and_every_reason_a_write() external {
        string[] memory told = vm.parseJsonStringArray(vm.readFile("tests/vectors/market_machine.json"), ".writes");
        for (uint256 i; i < told.length; ++i) {
            isTold[keccak256(bytes(told[i]))] = true;
        }
        Request memory request = exampleRequest();
        id = RequestId.wrap(keccak256(abi.encode(request)) & ~bytes32(uint256(0xff)));
        _nameWords();
        _sell(request);
        _prove();
        _miss();
        for (uint256 i; i < told.length; ++i) {
            isTrue(isSeen[keccak256(bytes(told[i]))], string.concat("docs/market.md tells of no write: ", told[i]));
        }
    }

    // --- the calls ---

    function _sell(Request memory request) internal {
        _watch("requestStorage", client, abi.encodeCall(market.requestStorage, (request)));
        advanceSeconds(request.expiry / 2);
        fill(id, 0, hosts[0]);
        _watch("reserveSlot", hosts[1], abi.encodeCall(market.reserveSlot, (id, 1)));
        nextPeriod();
        _watch("fillSlot", hosts[1], abi.encodeCall(market.fillSlot, (id.slotId(1), anyProof())));
        fill(id, 2, hosts[2]);
    }

    function _prove() internal {
        Period period = nextPeriod();
        prove(id, 2);
        _watch("submitProof", hosts[1], abi.encodeCall(market.submitProof, (id.slotId(1), period, anyProof())));
        Groth16Proof[] memory proofs = new Groth16Proof[](1);
        proofs[0] = anyProof();
        nextPeriod();
        _watch("submitProofs", hosts[1], abi.encodeCall(market.submitProofs, (_one(1), proofs)));
        prove(id, 2);
    }

    /// @dev Slots 1 and 2 miss twice, slot 1 a third time: it is lost, and repaired.
    function _miss() internal {
        Period missed = nextPeriod();
        nextPeriod();
        mark(id, 1, missed);
        mark(id, 2, missed);
        missed = market.currentPeriod();
        nextPeriod();
        _watch("markProofMissing", validator, abi.encodeCall(market.markProofMissing, (id.slotId(1), missed)));
        _watch("markProofsMissing", validator, abi.encodeCall(market.markProofsMissing, (_one(2), missed)));
        missed = market.currentPeriod();
        nextPeriod();
        _watch("the last miss", validator, abi.encodeCall(market.markProofMissing, (id.slotId(1), missed)));
        advanceSeconds(config().repairWindow);
        reserve(id, 1, hosts[3]);
        nextPeriod();
        _watch("a repair's fill", hosts[3], abi.encodeCall(market.fillSlot, (id.slotId(1), anyProof())));
    }

    function _one(uint16 index) internal view returns (SlotId[] memory ids) {
        ids = new SlotId[](1);
        ids[0] = id.slotId(index);
    }

    // --- watching ---

    function _watch(string memory name, address caller, bytes memory data) internal {
        vm.record();
        vm.prank(caller);
        (bool taken,) = address(market).call(data);
        isTrue(taken, string.concat(name, " was refused"));
        address[4] memory places = [address(market), address(market.extensions()), address(registry), address(token)];
        for (uint256 i; i < places.length; ++i) {
            (, bytes32[] memory writes) = vm.accesses(places[i]);
            for (uint256 j; j < writes.length; ++j) {
                _see(string.concat(name, ": ", names[_key(places[i], writes[j])]));
            }
        }
    }

    function _see(string memory fact) internal {
        bytes32 key = keccak256(bytes(fact));
        isTrue(isTold[key], string.concat("docs/market.md gives no reason for a write of ", fact));
        isSeen[key] = true;
    }

    function _key(address place, bytes32 word) internal pure returns (bytes32) {
        return keccak256(abi.encode(place, word));
    }

    function _name(address place, bytes32 first, uint256 offset, string memory name) internal {
        names[_key(place, bytes32(uint256(first) + offset))] = name;
    }

    /// @dev Storage as the compiler lays it out: mappings by the hash of key and place, structs word after word.
    function _nameWords() internal {
        bytes32 deal = keccak256(abi.encode(id, 0));
        string[6] memory ofRequest = ["terms", "counters", "prices", "money", "root", "client"];
        for (uint256 i; i < ofRequest.length; ++i) {
            _name(address(market), deal, i, string.concat("request's ", ofRequest[i]));
        }
        string[4] memory ofSlot = ["tenure", "proofs", "money", "vacancy"];
        for (uint16 index; index < 3; ++index) {
            bytes32 slot = keccak256(abi.encode(id.slotId(index), 1));
            for (uint256 i; i < ofSlot.length; ++i) {
                _name(address(market), slot, i, string.concat("slot's ", ofSlot[i]));
            }
        }
        for (uint256 i; i < hosts.length; ++i) {
            _name(address(registry), keccak256(abi.encode(hosts[i], 0)), 2, "provider's stake");
            _nameCredit(hosts[i]);
        }
        _nameCredit(client);
        _nameCredit(validator);
        _name(address(registry), keccak256(abi.encode(market, 2)), 0, "market's pool");
        _name(address(registry), bytes32(0), 4, "liabilities");
        _name(address(token), keccak256(abi.encode(client, 0)), 0, "token balances");
        _name(address(token), keccak256(abi.encode(registry, 0)), 0, "token balances");
    }

    function _nameCredit(address account) internal {
        _name(address(registry), keccak256(abi.encode(account, 1)), 0, "credit");
    }
}
