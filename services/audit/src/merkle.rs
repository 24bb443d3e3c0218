//! Merkle trees as in RFC 9162, section 2.1: SHA-256, 0x00 before a leaf, 0x01 before a node.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree, as far as appending to it needs: the roots of its full subtrees, the largest first. There are as
/// many as its size has bits that are one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// A tree from its size and its frontier in one piece; `None` when the two do not fit.
    #[must_use]
    pub fn read(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }

    /// The frontier in one piece.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: as many nodes are made as subtrees become full.
    pub fn push(&mut self, leaf: Hash) {
        let mut peak = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("each bit of the size has a peak");
            peak = node_hash(&left, &peak);
        }
        self.peaks.push(peak);
        self.size += 1;
    }

    /// The root; of no leaves the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return Sha256::digest([]).into() };
        peaks.fold(last, |right, left| node_hash(&left, &right))
    }
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The inclusion proof of leaf `at` in the tree of `leaves` (section 2.1.3.1), from the leaf upwards; `None` when there
/// is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], at: usize) -> Option<Vec<Hash>> {
    if at >= leaves.len() {
        return None;
    }
    let (mut leaves, mut at, mut path) = (leaves, at, Vec::new());
    while leaves.len() > 1 {
        // The largest power of two that is smaller than the number of leaves.
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        if at < half {
            path.push(root_of(right));
            leaves = left;
        } else {
            path.push(root_of(left));
            (leaves, at) = (right, at - half);
        }
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::{Frontier, Hash, inclusion, leaf_hash, node_hash, root_of};

    /// The leaves and the roots with which implementations of Certificate Transparency are tested.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
    }

    #[test]
    fn trees_have_the_roots_that_certificate_transparency_gives_them() {
        let mut frontier = Frontier::default();
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            frontier.push(leaf_hash(&bytes(leaf)));
            assert_eq!(frontier.root().to_vec(), bytes(root));
        }
    }

    #[test]
    fn a_frontier_is_read_as_it_was_written_and_only_with_its_size() {
        let mut frontier = Frontier::default();
        for leaf in leaves(100) {
            frontier.push(leaf);
            let read = Frontier::read(frontier.size(), &frontier.bytes());
            assert_eq!(read.as_ref(), Some(&frontier));
        }
        assert_eq!(Frontier::read(101, &frontier.bytes()), None);
        assert_eq!(Frontier::read(100, &frontier.bytes()[1..]), None);
    }

    /// Section 2.1.3.2 of the RFC, step by step.
    fn proves(leaf: Hash, at: usize, size: usize, path: &[Hash], root: Hash) -> bool {
        let (mut fnode, mut snode, mut hash) = (at, size - 1, leaf);
        for step in path {
            if snode == 0 {
                return false;
            }
            if fnode % 2 == 1 || fnode == snode {
                hash = node_hash(step, &hash);
                while fnode % 2 == 0 && fnode != 0 {
                    (fnode, snode) = (fnode >> 1, snode >> 1);
                }
            } else {
                hash = node_hash(&hash, step);
            }
            (fnode, snode) = (fnode >> 1, snode >> 1);
        }
        snode == 0 && hash == root
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_in_it_and_no_other_is() {
        for size in 1..40 {
            let leaves = leaves(size);
            let root = root_of(&leaves);
            for (at, leaf) in leaves.iter().enumerate() {
                let path = inclusion(&leaves, at).expect("it is there");
                assert!(proves(*leaf, at, leaves.len(), &path, root), "{at} of {size}");
                assert!(!proves(leaf_hash(b"other"), at, leaves.len(), &path, root));
            }
            assert_eq!(inclusion(&leaves, leaves.len()), None);
        }
    }
}
