pragma circom 2.1.6;

include "./bits.circom";
include "./poseidon2.circom";

// One step up a tree: the parent of a node and its sibling.
//   bottom  1 in the bottom layer, else 0
//   bit     0 if the node is a left child (boolean)
//   odd     1 if the node has no sibling (boolean); the sibling is then whatever the prover says, under a key of its own
template Parent(bottom) {
    signal input node;
    signal input sibling;
    signal input bit;
    signal input odd;
    signal output out;

    signal swap <== bit * (sibling - node);
    component compress = Compression();
    compress.left <== node + swap;
    compress.right <== sibling - swap;
    compress.key <== bottom + 2 * odd;
    out <== compress.out;
}

// The root of a tree with a power of two of leaves, from a leaf and its path.
//   depth    levels at most
//   fixed    levels at least: that many bits of the mask are known to be 1
//   mask     1 for the levels there are, then 0; depth + 1 bits
// Above the root the path is ignored.
template RootOfComplete(depth, fixed) {
    signal input leaf;
    signal input path[depth];
    signal input indexBits[depth];
    signal input mask[depth + 1];
    signal output root;

    component parent[depth];
    signal chosen[depth];
    var total = 0;
    for (var i = 0; i < depth; i++) {
        parent[i] = Parent(i == 0 ? 1 : 0);
        parent[i].node <== i == 0 ? leaf : parent[i - 1].out;
        parent[i].sibling <== path[i];
        parent[i].bit <== indexBits[i];
        parent[i].odd <== 0;
        // mask[i] - mask[i + 1] is 1 at the last level only.
        if (i + 1 < fixed) {
            chosen[i] <== 0;
        } else {
            chosen[i] <== (mask[i] - mask[i + 1]) * parent[i].out;
        }
        total += chosen[i];
    }
    root <== total;
}

// The root of a tree with any number of leaves, from leaf `index` and its path.
//   depth    levels at most; the tree has 2 .. 2^depth leaves
// Constrains index < leaves.
template RootOfAny(depth) {
    signal input leaf;
    signal input index;
    signal input leaves;
    signal input path[depth];
    signal output root;

    component indexBits = Bits(depth);
    component lastBits = Bits(depth);
    indexBits.in <== index;
    lastBits.in <== leaves - 1;

    signal mask[depth + 1];    // 1 for the levels there are: those at or below the last leaf's highest bit
    signal both[depth];
    signal same[depth + 1];    // the index agrees with the last leaf's in all bits from here up
    mask[depth] <== 0;
    same[depth] <== 1;
    for (var i = depth - 1; i >= 0; i--) {
        mask[i] <== mask[i + 1] + lastBits.out[i] - mask[i + 1] * lastBits.out[i];
        both[i] <== indexBits.out[i] * lastBits.out[i];
        same[i] <== same[i + 1] * (1 - indexBits.out[i] - lastBits.out[i] + 2 * both[i]);
        // Where they first differ the last leaf has the 1.
        same[i + 1] * (indexBits.out[i] - both[i]) === 0;
    }

    component parent[depth];
    signal odd[depth];
    signal chosen[depth];
    var total = 0;
    for (var i = 0; i < depth; i++) {
        // The last node of a layer has no sibling if it is a left child.
        odd[i] <== same[i] * (1 - lastBits.out[i]);
        parent[i] = Parent(i == 0 ? 1 : 0);
        parent[i].node <== i == 0 ? leaf : parent[i - 1].out;
        parent[i].sibling <== path[i];
        parent[i].bit <== indexBits.out[i];
        parent[i].odd <== odd[i];
        chosen[i] <== (mask[i] - mask[i + 1]) * parent[i].out;
        total += chosen[i];
    }
    root <== total;
}
