pragma circom 2.1.6;

include "./bits.circom";
include "./merkle.circom";
include "./poseidon2.circom";

// One sample: the cell that `entropy` picks lies under the slot's root.
//   depth          levels from a cell to the slot's root at most
//   blockDepth     of them, levels inside a block
//   elements       field elements of a cell
//   counter        1, 2, ...: which sample it is
// The index is the low log2(cells) bits of the sponge over [entropy, slotRoot, counter].
template Sample(depth, blockDepth, elements, counter) {
    signal input entropy;
    signal input slotRoot;
    signal input mask[depth + 1];
    signal input cell[elements];
    signal input path[depth];

    component draw = Sponge(3);
    draw.in <== [entropy, slotRoot, counter];
    component drawn = CanonicalBits();
    drawn.in <== draw.out;
    signal indexBits[depth];
    for (var i = 0; i < depth; i++) {
        if (i < blockDepth) {
            indexBits[i] <== drawn.out[i];
        } else {
            indexBits[i] <== drawn.out[i] * mask[i];
        }
    }

    component hash = Sponge(elements);
    hash.in <== cell;

    // A block's tree and the tree over the blocks have a bottom layer each.
    component block = RootOfComplete(blockDepth, blockDepth);
    block.leaf <== hash.out;
    for (var i = 0; i < blockDepth; i++) {
        block.path[i] <== path[i];
        block.indexBits[i] <== indexBits[i];
        block.mask[i] <== 1;
    }
    block.mask[blockDepth] <== 0;

    component slot = RootOfComplete(depth - blockDepth, 1);
    slot.leaf <== block.root;
    for (var i = blockDepth; i < depth; i++) {
        slot.path[i - blockDepth] <== path[i];
        slot.indexBits[i - blockDepth] <== indexBits[i];
        slot.mask[i - blockDepth] <== mask[i];
    }
    slot.mask[depth - blockDepth] <== 0;
    slot.root === slotRoot;
}

// Proof of storage of one slot: `samples` cells, picked by the challenge, lie under the slot's root, and that root is slot
// `slotIndex` of the dataset.
//   maxDepth         levels from a cell to its slot's root at most
//   maxLog2NSlots    levels of the dataset's tree at most
//   blockTreeDepth   levels inside a block
//   elements         field elements of a cell
//   samples          cells sampled, with replacement
// Preconditions: 2 .. 2^maxLog2NSlots slots; a power of two of cells a slot, 2^(blockTreeDepth + 1) .. 2^maxDepth, after padding
// with zero blocks; paths are padded with zeros to their maximal length.
template StorageProof(maxDepth, maxLog2NSlots, blockTreeDepth, elements, samples) {
    // public
    signal input entropy;
    signal input dataSetRoot;
    signal input slotIndex;
    // private
    signal input slotRoot;
    signal input nCellsPerSlot;
    signal input nSlotsPerDataSet;
    signal input slotProof[maxLog2NSlots];
    signal input cellData[samples][elements];
    signal input merklePaths[samples][maxDepth];

    component dataset = RootOfAny(maxLog2NSlots);
    dataset.leaf <== slotRoot;
    dataset.index <== slotIndex;
    dataset.leaves <== nSlotsPerDataSet;
    dataset.path <== slotProof;
    dataset.root === dataSetRoot;

    component levels = PowerOfTwoMask(blockTreeDepth + 1, maxDepth);
    levels.in <== nCellsPerSlot;

    component sample[samples];
    for (var i = 0; i < samples; i++) {
        sample[i] = Sample(maxDepth, blockTreeDepth, elements, i + 1);
        sample[i].entropy <== entropy;
        sample[i].slotRoot <== slotRoot;
        sample[i].mask <== levels.mask;
        sample[i].cell <== cellData[i];
        sample[i].path <== merklePaths[i];
    }
}
