//! A small generator of pseudo-random numbers (`SplitMix64`), so that a seed means the same for
//! ever.

/// A sequence of numbers that its seed decides.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is not positive.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        let Ok(end) = u64::try_from(end.max(1)) else { return 0 };
        i64::try_from(self.next() % end).unwrap_or(0)
    }

    /// A number from `start` up to, but not, `end`.
    pub(super) fn between(&mut self, start: i64, end: i64) -> i64 {
        start + self.below(end - start)
    }

    /// An index into something that is `length` long and not empty.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let end = i64::try_from(length).unwrap_or(i64::MAX);
        usize::try_from(self.below(end)).unwrap_or(0)
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}
