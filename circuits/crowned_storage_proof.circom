pragma circom 2.1.6;

include "./bits.circom";
include "./crown.circom";
include "./merkle.circom";
include "./poseidon2.circom";

// One of n values. n - 1 constraints.
//   which   1 for the one wanted, else 0
template Pick(n) {
    signal input which[n];
    signal input in[n];
    signal output out;

    var total = in[0];
    signal change[n];
    change[0] <== 0;
    for (var i = 1; i < n; i++) {
        change[i] <== which[i] * (in[i] - in[0]);
        total += change[i];
    }
    out <== total;
}

// One sample, up to the crown of the slot's tree.
//   depth, blockDepth, elements   as below
//   crown      levels of the crown
//   drawing    the sponge's state after entropy and slot root; it takes the counter 1, 2, ... and its padding next
//   height     1 for the height of this slot's tree, else 0: of blockDepth + 1, ..., depth
// The index is the low bits of the sponge. Those above the slot's height, and the path there, are never looked at.
template CrownedSample(depth, blockDepth, elements, crown) {
    signal input drawing[3];
    signal input counter;
    signal input height[depth - blockDepth];
    signal input cell[elements];
    signal input path[depth];
    signal output node;            // at the crown's foot
    signal output turn[crown];     // of the root's height first
    signal output sibling[crown];  // for the witness alone

    component draw = Permutation();
    draw.in <== [drawing[0] + counter, drawing[1] + 1, drawing[2]];
    component drawn = BitsOfHash(128);
    drawn.in <== draw.out[0];

    component hash = Sponge(elements);
    hash.in <== cell;

    // A block's tree and the tree over the blocks have a bottom layer each.
    component parent[depth - crown];
    for (var i = 0; i < depth - crown; i++) {
        parent[i] = Parent(i == 0 || i == blockDepth ? 1 : 0);
        parent[i].node <== i == 0 ? hash.out : parent[i - 1].out;
        parent[i].sibling <== path[i];
        parent[i].bit <== drawn.out[i];
        parent[i].odd <== 0;
    }

    // A slot of height d meets the crown at height d - crown, and turns there by bits d - 1, d - 2, ...
    component foot = Pick(depth - blockDepth);
    component turns[crown];
    for (var i = 0; i < depth - blockDepth; i++) {
        foot.which[i] <== height[i];
        foot.in[i] <== parent[blockDepth - crown + i].out;
    }
    node <== foot.out;
    for (var t = 0; t < crown; t++) {
        turns[t] = Pick(depth - blockDepth);
        var beside = 0;
        for (var i = 0; i < depth - blockDepth; i++) {
            turns[t].which[i] <== height[i];
            turns[t].in[i] <== drawn.out[blockDepth - t + i];
            beside += height[i] * path[blockDepth - t + i];
        }
        turn[t] <== turns[t].out;
        sibling[t] <-- beside;
    }
}

// Proof of storage of one slot, as StorageProof is, of the same statement from the same inputs, with fewer constraints: what the
// samples' draws and paths have in common is computed once, and nothing is masked that is not looked at.
//   maxDepth         levels from a cell to its slot's root at most
//   maxLog2NSlots    levels of the dataset's tree at most
//   blockTreeDepth   levels inside a block
//   elements         field elements of a cell
//   samples          cells sampled, with replacement
//   crown            levels under the slot's root that the samples share, 1 .. blockTreeDepth
// Preconditions: StorageProof's, and no draw whose highest 128 bits are those of the field's order, which no honest prover meets.
// In the crown the siblings of one sample serve all that pass by; those of the others are not read.
template CrownedStorageProof(maxDepth, maxLog2NSlots, blockTreeDepth, elements, samples, crown) {
    assert(1 <= crown && crown <= blockTreeDepth && blockTreeDepth < maxDepth);
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
    signal height[maxDepth - blockTreeDepth];
    for (var i = 0; i < maxDepth - blockTreeDepth; i++) {
        height[i] <== levels.mask[blockTreeDepth + i] - levels.mask[blockTreeDepth + i + 1];
    }

    component drawing = Permutation();
    drawing.in <== [entropy, slotRoot, 0x10000000000000302]; // the capacity of Sponge

    component top = Crown(crown, samples);
    component sample[samples];
    for (var i = 0; i < samples; i++) {
        sample[i] = CrownedSample(maxDepth, blockTreeDepth, elements, crown);
        sample[i].drawing <== drawing.out;
        sample[i].counter <== i + 1;
        sample[i].height <== height;
        sample[i].cell <== cellData[i];
        sample[i].path <== merklePaths[i];
        top.node[i] <== sample[i].node;
        top.turn[i] <== sample[i].turn;
        top.sibling[i] <== sample[i].sibling;
    }
    // The bottom layer of the tree over the blocks is in the crown of a slot of few blocks.
    for (var t = 0; t < crown; t++) {
        top.key[t] <== t < maxDepth - blockTreeDepth ? height[t] : 0;
    }
    top.root === slotRoot;
}
