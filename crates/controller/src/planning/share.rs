//! The arithmetic of spreads: shares by weight, and levels.

/// Divides `total` by weights so that each share is its exact part rounded down or up (largest remainder). Of equal
/// remainders the larger weight comes first, then the earlier one. Without any weight there are no shares.
pub fn largest_remainder(total: u32, weights: &[u32]) -> Vec<u32> {
    let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    // Of 32 bits each, so the product has room.
    let exact = |weight: u32| u64::from(total) * u64::from(weight);
    let mut shares: Vec<u32> = weights
        .iter()
        .map(|weight| narrow(exact(*weight) / sum))
        .collect();
    let given: u64 = shares.iter().map(|share| u64::from(*share)).sum();
    let mut order: Vec<(usize, u32)> = weights.iter().copied().enumerate().collect();
    order.sort_by_key(|(at, weight)| (std::cmp::Reverse((exact(*weight) % sum, *weight)), *at));
    // Each remainder is below one, so there are fewer left than there are shares.
    let left = usize::try_from(u64::from(total) - given).unwrap_or(usize::MAX);
    for (at, _) in order.into_iter().take(left) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares
}

/// The lowest level at which vessels that are cut off there hold at least `wanted` together; `u32::MAX` where they
/// hold less than that uncut.
pub(crate) fn cut(held: &[u32], wanted: u64) -> u32 {
    let below = |level: u32| held.iter().map(|held| u64::from((*held).min(level))).sum::<u64>();
    lowest(|level| below(level) >= wanted)
}

/// The highest level up to which vessels that hold something can be filled with `more`. What is left then is less
/// than one for each of those that are not above the level.
pub(crate) fn fill(held: &[u32], more: u64) -> u32 {
    let needed = |level: u32| {
        held.iter()
            .map(|held| u64::from(level.saturating_sub(*held)))
            .sum::<u64>()
    };
    match lowest(|level| needed(level) > more) {
        u32::MAX if needed(u32::MAX) <= more => u32::MAX,
        level => level.saturating_sub(1),
    }
}

/// The lowest number for which `holds` is true, if it stays true above; else the greatest there is.
pub(crate) fn lowest(holds: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (0, u32::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    low
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_of_known_cases() {
        let check = |total: u32, weights: &[u32], shares: &[u32]| {
            assert_eq!(
                largest_remainder(total, weights),
                shares,
                "{total} by {weights:?}"
            );
        };
        check(10, &[100], &[10]);
        check(10, &[80, 20], &[8, 2]);
        check(3, &[50, 50], &[2, 1]);
        check(1, &[50, 50], &[1, 0]);
        check(1, &[40, 60], &[0, 1]);
        // v1 gives the remainder by weight alone: 4, 3, 3.
        check(10, &[1, 1, 1], &[4, 3, 3]);
        check(10, &[60, 25, 15], &[6, 3, 1]);
        check(7, &[50, 30, 20], &[4, 2, 1]);
        check(5, &[0, 1], &[0, 5]);
        check(0, &[3, 1], &[0, 0]);
        check(9, &[0, 0], &[0, 0]);
        check(u32::MAX, &[u32::MAX, u32::MAX], &[1 << 31, (1 << 31) - 1]);
    }

    #[test]
    fn levels_of_known_cases() {
        assert_eq!(cut(&[10, 0, 2], 6), 4);
        assert_eq!(cut(&[1, 1], 3), u32::MAX);
        assert_eq!(cut(&[5], 0), 0);
        assert_eq!(fill(&[0, 0, 0], 10), 3);
        assert_eq!(fill(&[5, 0], 3), 3);
        assert_eq!(fill(&[5, 0], 6), 5);
        assert_eq!(fill(&[7], 0), 7);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_keep_quota(total: u32, weights in prop::collection::vec(any::<u32>(), 1..12)) {
            let shares = largest_remainder(total, &weights);
            let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            prop_assume!(sum > 0);
            prop_assert_eq!(shares.iter().map(|share| u64::from(*share)).sum::<u64>(), u64::from(total));
            for (share, weight) in shares.iter().zip(&weights) {
                let floor = u64::from(total) * u64::from(*weight) / sum;
                prop_assert!((floor..=floor + 1).contains(&u64::from(*share)));
                prop_assert!(*weight > 0 || *share == 0);
            }
        }

        #[test]
        fn levels_are_where_they_should_be(held in prop::collection::vec(0..1_000u32, 1..12), amount in 0..20_000u64) {
            let level = fill(&held, amount);
            let needed = |level: u32| held.iter().map(|h| u64::from(level.saturating_sub(*h))).sum::<u64>();
            prop_assert!(needed(level) <= amount && needed(level + 1) > amount);
            let level = cut(&held, amount);
            let kept = |level: u32| held.iter().map(|h| u64::from((*h).min(level))).sum::<u64>();
            prop_assert!(kept(level) >= amount.min(kept(u32::MAX)));
            prop_assert!(level == 0 || kept(level - 1) < amount);
        }
    }
}
