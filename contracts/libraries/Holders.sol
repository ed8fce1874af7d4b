// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Deal} from "./Deals.sol";
import {HolderTags} from "./HolderTags.sol";
import {Slot} from "./Slots.sol";
import {RequestId, SlotId} from "./Types.sol";

/// @notice Whether a provider holds a slot of a request already, answered by one or few words instead of a word a slot: the
/// deal keeps the tags of the first slots' holders, further words those of the others.
library Holders {
    using HolderTags for uint256;

    /// Holders' tags in the deal itself, and in each further word.
    uint256 internal constant NEAR_TAGS = 16;
    uint256 internal constant FAR_TAGS = 32;

    function holdsSlot(
        Deal storage deal,
        mapping(uint256 word => uint256) storage farTags,
        mapping(SlotId => Slot) storage slots,
        RequestId id,
        address provider
    ) internal view returns (bool) {
        uint8 tag = HolderTags.tagOf(provider);
        if (_isAmong(slots, provider, id, deal.tags, tag, 0)) return true;
        uint256 count = deal.slots();
        for (uint256 first = NEAR_TAGS; first < count; first += FAR_TAGS) {
            if (_isAmong(slots, provider, id, farTags[(first - NEAR_TAGS) / FAR_TAGS], tag, first)) return true;
        }
        return false;
    }

    /// @notice Note that `provider` holds the slot from now on.
    function note(
        Deal storage deal,
        mapping(uint256 word => uint256) storage farTags,
        uint256 slotIndex,
        address provider
    ) internal {
        uint8 tag = HolderTags.tagOf(provider);
        if (slotIndex < NEAR_TAGS) {
            deal.tags = uint128(uint256(deal.tags).replaced(slotIndex, tag));
            return;
        }
        (uint256 word, uint256 place) = ((slotIndex - NEAR_TAGS) / FAR_TAGS, (slotIndex - NEAR_TAGS) % FAR_TAGS);
        farTags[word] = farTags[word].replaced(place, tag);
    }

    /// @dev Whether `provider` holds one of the slots from `first` on whose tags are `tags`.
    function _isAmong(
        mapping(SlotId => Slot) storage slots,
        address provider,
        RequestId id,
        uint256 tags,
        uint8 tag,
        uint256 first
    ) private view returns (bool) {
        if (!tags.has(tag)) return false;
        for (uint256 place; place < FAR_TAGS; ++place) {
            if (tags.tagAt(place) == tag && slots[id.slotId(uint16(first + place))].host == provider) return true;
        }
        return false;
    }
}
