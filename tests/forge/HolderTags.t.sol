// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HolderTags} from "../../contracts/libraries/HolderTags.sol";
import {Test} from "./Cheats.sol";

/// @notice Packed tags against a plain array.
contract HolderTagsTest is Test {
    using HolderTags for uint256;

    function test_fuzz_a_tag_is_found_exactly_if_it_is_there(uint256 tags, uint8 tag) external pure {
        bool found;
        for (uint256 place; place < 32; ++place) {
            found = found || tags.tagAt(place) == tag;
        }
        isTrue(tags.has(tag) == found, "has");
    }

    function test_fuzz_a_tag_is_replaced_alone(uint256 tags, uint256 place, uint8 tag) external pure {
        place = within(place, 0, 31);
        uint256 changed = tags.replaced(place, tag);
        for (uint256 other; other < 32; ++other) {
            eq(changed.tagAt(other), other == place ? tag : tags.tagAt(other), "tag");
        }
        isTrue(changed.has(tag), "found where it was put");
    }

    function test_tags_are_1_to_255() external pure {
        eq(HolderTags.tagOf(address(255)), 1, "least");
        eq(HolderTags.tagOf(address(255 + 254)), 255, "most");
    }

    function test_fuzz_no_holder_has_the_tag_of_an_unused_place(address holder) external pure {
        isTrue(HolderTags.tagOf(holder) != 0, "tag");
        isTrue(!uint256(0).has(HolderTags.tagOf(holder)), "nobody");
    }
}
