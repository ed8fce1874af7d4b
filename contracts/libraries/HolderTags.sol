// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice One byte a slot of a request, packed: the tag of whoever holds the slot, or held it last.
/// A provider holds a slot only if its tag is there, so one word answers for up to 32 slots that it holds none of them.
library HolderTags {
    uint256 private constant EACH = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant TOP_OF_EACH = 0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @notice The tag of `holder`: 1 .. 255, so that an unused byte is nobody's.
    function tagOf(address holder) internal pure returns (uint8) {
        return uint8(uint160(holder) % 255 + 1);
    }

    /// @notice Whether a byte of `tags` is `tag`.
    function has(uint256 tags, uint8 tag) internal pure returns (bool) {
        // A byte is zero exactly where it matched; subtracting one from each borrows into the top bit of such a byte first.
        uint256 differences = tags ^ (EACH * tag);
        unchecked {
            return (differences - EACH) & ~differences & TOP_OF_EACH != 0;
        }
    }

    function tagAt(uint256 tags, uint256 place) internal pure returns (uint8) {
        return uint8(tags >> (8 * place));
    }

    /// @notice `tags` with `tag` at `place`.
    function replaced(uint256 tags, uint256 place, uint8 tag) internal pure returns (uint256) {
        return tags & ~(uint256(0xff) << (8 * place)) | uint256(tag) << (8 * place);
    }
}
