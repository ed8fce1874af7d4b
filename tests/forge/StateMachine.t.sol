// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Groth16Proof} from "../../contracts/interfaces/IGroth16Verifier.sol";
import {IMarketplace, MarketConfig, RequestRecord, SlotRecord} from "../../contracts/interfaces/IMarketplace.sol";
import {Period, Request, RequestId, RequestState, SlotId, SlotState} from "../../contracts/libraries/Types.sol";
import {MarketTest} from "./MarketTest.sol";

/// @notice The machines drawn in docs/market.md against the contracts: in random histories nothing happens that is not
/// drawn, and everything drawn happens. tests/vectors/market_machine.json is the drawing, as sentences of a few words.
contract StateMachineTest is MarketTest {
    uint256 internal constant STEPS = 200;
    uint256 internal constant LEAST_RUNS = 30;
    uint256 internal constant MOST_RUNS = 400;

    /// What may be tried, a letter each (see _do); w waits.
    string internal constant ANYTHING = "wrfcpPmMaeszx";

    /// The same for a slot of each state.
    string[6] internal likely = ["wr", "wffcr", "wwwppPmmMaaessx", "wrrz", "wrrz", "wz"];

    /// The same for a filled one once the request is over.
    string internal constant LAST = "wmMMes";

    /// When the validators of a history mark misses.
    enum Diligence {
        Never,
        /// Once the request is over.
        Late,
        /// Those of the first slot.
        One,
        Always
    }

    /// What was seen of a slot after the last step, and of the request.
    struct Seen {
        SlotState state;
        address host;
        bytes32 record;
    }

    struct World {
        RequestState state;
        Seen[] slots;
    }

    string[6] internal requestStates = ["None", "New", "Started", "Cancelled", "Failed", "Finished"];
    string[6] internal slotStates = ["Free", "Reserved", "Filled", "Lost", "Departed", "Settled"];

    string[] internal drawn;
    mapping(bytes32 fact => bool) internal isDrawn;
    mapping(bytes32 fact => bool) internal isSeen;
    uint256 internal seen;

    Request internal request;
    RequestId internal id;
    Diligence internal diligence;
    bool internal isUnpopular;

    function setUp() public override {
        super.setUp();
        fund(stranger);
        string memory json = vm.readFile("tests/vectors/market_machine.json");
        string[5] memory kinds = [".requests", ".slots", ".calls", ".callers", ".together"];
        for (uint256 i; i < kinds.length; ++i) {
            string[] memory facts = vm.parseJsonStringArray(json, kinds[i]);
            for (uint256 j; j < facts.length; ++j) {
                drawn.push(facts[j]);
                isDrawn[keccak256(bytes(facts[j]))] = true;
            }
        }
    }

    /// @dev Everything is quick here, so that short histories get far.
    function config() internal view override returns (MarketConfig memory c) {
        c = super.config();
        (c.periodBlocks, c.markBlocks, c.settleSeconds, c.maxMisses) = (4, 12, 384, 2);
        (c.reserveSeconds, c.repairWindow, c.minTermPeriods, c.minExtension) = (240, 60, 1, 60);
    }

    function test_nothing_happens_that_is_not_drawn_and_all_that_is_drawn_happens() external {
        vm.pauseGasMetering();
        for (uint256 run; run < MOST_RUNS && (run < LEAST_RUNS || seen < drawn.length); ++run) {
            // A call of its own, for the memory that it leaves behind.
            this.history(run, uint256(keccak256(abi.encode("history", run))));
        }
        string memory never;
        for (uint256 i; i < drawn.length; ++i) {
            if (!isSeen[keccak256(bytes(drawn[i]))]) never = string.concat(never, drawn[i], "; ");
        }
        isTrue(bytes(never).length == 0, string.concat("docs/market.md draws what never happens: ", never));
    }

    // --- histories ---

    function history(uint256 run, uint256 seed) external {
        vm.pauseGasMetering();
        World memory world = _begin(run, seed);
        for (uint256 step; step < STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            _act(world, seed);
            if (market.requestOf(id).closed) step += STEPS / 10;
        }
    }

    function _begin(uint256 run, uint256 seed) internal returns (World memory world) {
        request = exampleRequest();
        request.nonce = bytes32(seed);
        request.expiry = 1200;
        request.ask.duration = uint40(within(seed >> 8, 1300, 1700));
        request.ask.slots = uint16(within(seed >> 16, 2, 3));
        request.ask.maxSlotLoss = (seed >> 24) % 4 == 0 ? 0 : request.ask.slots - 1;
        id = RequestId.wrap(keccak256(abi.encode(request)) & ~bytes32(uint256(0xff)));
        _post(world, stranger);
        _post(world, client);
        _post(world, client);
        advanceSeconds(600);
        // In some histories hosts get to their end, proven or not; in some one slot is lost again and again.
        diligence = Diligence(run / 2 % 4);
        // In some only the first slot is wanted, and waits for the others; and nobody repairs.
        isUnpopular = run / 8 % 2 == 0;
        if (run % 2 == 0) return world;
        for (uint16 i; i < request.ask.slots; ++i) {
            fill(id, i, hosts[i]);
        }
        (world.state, world.slots) = (_state(), _slots());
    }

    function _post(World memory world, address caller) internal {
        bool permit = uint256(request.nonce) & 2 == 0;
        _call(
            world,
            permit ? "requestStorageWithPermit" : "requestStorage",
            caller,
            permit
                ? abi.encodeCall(market.requestStorageWithPermit, (request, 0, 0, 0, 0))
                : abi.encodeCall(market.requestStorage, (request))
        );
    }

    function _act(World memory world, uint256 seed) internal {
        bool isAlone = isUnpopular && world.state == RequestState.New;
        uint16 index = isAlone ? 0 : uint16((seed >> 8) % request.ask.slots);
        bytes1 step = _pick(world.state, world.slots[index].state, seed >> 16);
        if (step == "w") return _wait(world, within(seed >> 40, 1, (seed >> 32) % 8 == 0 ? 40 : 8));
        bool isOwn = step == "r" || step == "f" || step == "p" || step == "P" || step == "a";
        address caller = (seed >> 40) % 4 == 0 == isOwn ? _anybody(seed >> 48) : world.slots[index].host;
        _do(world, step, id.slotId(index), caller == address(0) ? _host(seed >> 48) : caller, seed >> 64);
    }

    /// @dev Mostly what such a slot of such a request may need, now and then anything at all.
    function _pick(RequestState state, SlotState slot, uint256 seed) internal view returns (bytes1 step) {
        bool isOver = uint256(state) > uint256(RequestState.Started);
        string memory usual = isOver && slot == SlotState.Filled ? LAST : likely[uint256(slot)];
        bytes memory steps = bytes(seed % 8 == 0 ? ANYTHING : usual);
        step = steps[(seed >> 8) % steps.length];
        bool isMarked = diligence >= Diligence.One || (diligence == Diligence.Late && isOver);
        if ((step == "m" || step == "M") && !isMarked) return "w";
    }

    function _do(World memory world, bytes1 step, SlotId slotId, address caller, uint256 seed) internal {
        Period now_ = market.currentPeriod();
        if ((step == "m" || step == "M") && diligence == Diligence.One) slotId = id.slotId(0);
        Period missed = Period.wrap(Period.unwrap(now_) - uint64(within(seed, 1, 3)));
        if (step == "r") {
            if (isUnpopular && (slotId.indexOf() != 0 || market.slotOf(slotId).vacatedAt != 0)) return;
            // Whoever holds a slot seldom wants another.
            address taker = seed & 3 == 0 ? caller : _host(seed >> 8);
            _call(world, "reserveSlot", taker, abi.encodeCall(market.reserveSlot, (id, slotId.indexOf())));
        } else if (step == "f") {
            _call(world, "fillSlot", caller, abi.encodeCall(market.fillSlot, (slotId, anyProof())));
        } else if (step == "c") {
            _call(world, "closeReservation", caller, abi.encodeCall(market.closeReservation, (slotId)));
        } else if (step == "p") {
            _call(world, "submitProof", caller, abi.encodeCall(market.submitProof, (slotId, now_, anyProof())));
        } else if (step == "P") {
            _call(
                world,
                "submitProofs",
                caller,
                abi.encodeCall(market.submitProofs, (_slotIds(request.ask.slots), _proofs()))
            );
        } else if (step == "m") {
            _call(world, "markProofMissing", caller, abi.encodeCall(market.markProofMissing, (slotId, missed)));
        } else if (step == "M") {
            SlotId[] memory ids = _slotIds(diligence == Diligence.One ? 1 : request.ask.slots);
            _call(world, "markProofsMissing", caller, abi.encodeCall(market.markProofsMissing, (ids, missed)));
        } else if (step == "a") {
            _call(world, "acceptExtension", caller, abi.encodeCall(market.acceptExtension, (slotId, type(uint40).max)));
        } else if (step == "e") {
            _call(world, "claim", caller, abi.encodeCall(market.claim, (slotId)));
        } else if (step == "s") {
            _call(world, "settle", caller, abi.encodeCall(market.settle, (slotId)));
        } else if (step == "z") {
            _call(world, "closeRequest", caller, abi.encodeCall(market.closeRequest, (id)));
        } else if (step == "x" && seed % 4 == 0) {
            _call(world, "extendRequest", _anybody(seed >> 8), abi.encodeCall(market.extendRequest, (id, 800)));
        } else if (step == "x" && seed % 4 == 1) {
            bytes memory data = abi.encodeCall(market.extendRequestWithPermit, (id, 800, 0, 0, 0, 0));
            _call(world, "extendRequestWithPermit", _anybody(seed >> 8), data);
        }
    }

    function _host(uint256 seed) internal view returns (address) {
        return hosts[seed % hosts.length];
    }

    function _anybody(uint256 seed) internal view returns (address) {
        uint256 kind = seed % 3;
        return kind == 0 ? client : kind == 1 ? stranger : _host(seed / 3);
    }

    function _slotIds(uint256 count) internal view returns (SlotId[] memory ids) {
        ids = new SlotId[](count);
        for (uint16 i; i < count; ++i) {
            ids[i] = id.slotId(i);
        }
    }

    function _proofs() internal view returns (Groth16Proof[] memory proofs) {
        proofs = new Groth16Proof[](request.ask.slots);
        for (uint256 i; i < proofs.length; ++i) {
            proofs[i] = anyProof();
        }
    }

    // --- observing ---

    function _wait(World memory world, uint256 blocks) internal {
        advance(blocks);
        _look(world, "time", address(0));
    }

    /// @dev Most calls do not apply at their moment, and are refused.
    function _call(World memory world, string memory name, address caller, bytes memory data) internal {
        vm.prank(caller);
        (bool taken,) = address(market).call(data);
        if (!taken) return;
        _see(string.concat(name, " when ", requestStates[uint256(world.state)]));
        string memory role = _look(world, name, caller)
            ? "holder"
            : caller == client ? "client" : registry.providerOf(caller).id != 0 ? "provider" : "stranger";
        _see(string.concat(name, " by ", role));
    }

    /// @dev What is different now; whether `caller` held a slot that is.
    function _look(World memory world, string memory name, address caller) internal returns (bool holds) {
        (RequestState state, Seen[] memory slots) = (_state(), _slots());
        if (state != world.state) {
            _see(
                string.concat(
                    "request ", requestStates[uint256(world.state)], " ", name, " ", requestStates[uint256(state)]
                )
            );
        }
        for (uint256 i; i < slots.length; ++i) {
            string memory next = slotStates[uint256(slots[i].state)];
            _see(string.concat(next, " while ", requestStates[uint256(state)]));
            if (world.slots.length == 0 || slots[i].record == world.slots[i].record) continue;
            _see(string.concat("slot ", slotStates[uint256(world.slots[i].state)], " ", name, " ", next));
            if (world.slots[i].host == caller) holds = true;
        }
        (world.state, world.slots) = (state, slots);
    }

    function _state() internal view returns (RequestState) {
        try market.requestOf(id) returns (RequestRecord memory record) {
            return record.state;
        } catch (bytes memory reason) {
            isTrue(bytes4(reason) == IMarketplace.Marketplace_UnknownRequest.selector, "no state");
            return RequestState.None;
        }
    }

    function _slots() internal view returns (Seen[] memory slots) {
        if (_state() == RequestState.None) return slots;
        slots = new Seen[](request.ask.slots);
        for (uint16 i; i < slots.length; ++i) {
            SlotRecord memory slot = market.slotOf(id.slotId(i));
            slots[i] = Seen(slot.state, slot.host, keccak256(abi.encode(slot)));
        }
    }

    function _see(string memory fact) internal {
        bytes32 key = keccak256(bytes(fact));
        isTrue(isDrawn[key], string.concat("docs/market.md does not draw: ", fact));
        if (isSeen[key]) return;
        isSeen[key] = true;
        ++seen;
    }
}
