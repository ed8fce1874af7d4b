// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {TestToken} from "../../contracts/TestToken.sol";
import {IStakeRegistry} from "../../contracts/interfaces/IStakeRegistry.sol";
import {Request, RequestId, RequestState, SlotId} from "../../contracts/libraries/Types.sol";
import {BlocklistToken, SilentToken, TollToken} from "../attacks/Tokens.sol";
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
