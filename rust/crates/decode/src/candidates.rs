//! The best of many, in bounded memory and time.

/// One class of one anchor that passed. Orders by score, best first, then by anchor and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

/// Anchors that a candidate can tell apart.
pub(crate) const MAX_ANCHORS: usize = 1 << 18;

/// Bits of 1.0, the highest score; scores are 30 bits wide.
const ONE: u32 = 1.0f32.to_bits();

impl Candidate {
    /// `score` 0 ..= 1, `anchor` below [`MAX_ANCHORS`].
    #[expect(clippy::cast_possible_truncation, reason = "see MAX_ANCHORS")]
    pub fn new(score: f32, anchor: usize, class: u16) -> Self {
        let worse = u64::from(ONE.saturating_sub(score.to_bits()));
        Self(worse << 34 | u64::from(anchor as u32) << 16 | u64::from(class))
    }

    pub fn score(self) -> f32 {
        f32::from_bits(ONE - (self.0 >> 34) as u32)
    }

    pub fn anchor(self) -> usize {
        (self.0 >> 16) as usize & (MAX_ANCHORS - 1)
    }

    /// Orders by class first, then as ever.
    pub fn by_class(self) -> u64 {
        self.0.rotate_right(16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
    pub fn class(self) -> u16 {
        self.0 as u16
    }
}

/// Keeps the least `most` of all that are put in, whatever their order.
pub(crate) struct Least<T> {
    items: Vec<T>,
    most: usize,
}

impl<T: Copy + Ord> Least<T> {
    pub fn new(most: usize) -> Self {
        Self {
            items: Vec::with_capacity(2 * most),
            most,
        }
    }

    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Never allocates.
    pub fn push(&mut self, item: T) {
        if self.items.len() == 2 * self.most {
            self.shrink();
        }
        self.items.push(item);
    }

    /// What was kept, in no order.
    pub fn kept(&mut self) -> &mut [T] {
        self.shrink();
        &mut self.items
    }

    /// What was kept, least first.
    pub fn sorted(&mut self) -> &[T] {
        self.shrink();
        self.items.sort_unstable();
        &self.items
    }

    fn shrink(&mut self) {
        if self.items.len() > self.most {
            self.items.select_nth_unstable(self.most);
            self.items.truncate(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_candidate_gives_back_what_it_was_made_of() {
        for score in [0.0, 1e-30, 0.3, 0.999_999_9, 1.0] {
            let candidate = Candidate::new(score, MAX_ANCHORS - 1, u16::MAX);
            assert_eq!(
                (candidate.score(), candidate.anchor(), candidate.class()),
                (score, MAX_ANCHORS - 1, u16::MAX)
            );
        }
        let order = [
            Candidate::new(0.9, 7, 3),
            Candidate::new(0.5, 1, 2),
            Candidate::new(0.5, 1, 3),
            Candidate::new(0.5, 2, 1),
            Candidate::new(0.1, 0, 0),
        ];
        assert!(order.is_sorted());
    }

    proptest! {
        #[test]
        fn the_least_are_kept(mut items: Vec<u64>, most in 1usize..20) {
            let mut least = Least::new(most);
            let capacity = least.items.capacity();
            for &item in &items {
                least.push(item);
            }
            items.sort_unstable();
            items.truncate(most);
            prop_assert_eq!(least.sorted(), &items[..]);
            prop_assert_eq!(least.items.capacity(), capacity);
        }
    }
}
