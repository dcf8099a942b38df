//! Who gives how much to whom, where some may not give to all: spreads give instances to hosts.
//!
//! Several spreads may choose the same host, and a host says only how many instances it has, not for which spread
//! they run. So the question "which of what runs can stay" is one of flow: as much as any division of it can keep,
//! is kept. That makes a plan stable: what a plan has reached, the next one keeps whole.

use std::collections::VecDeque;

/// Spreads that give and hosts that take, by their places in lists.
pub(crate) struct Flow<'a> {
    /// How much each spread gives at most.
    totals: &'a [u32],
    /// The hosts that each may give to, ascending.
    eligible: &'a [&'a [usize]],
    /// How much each spread gives to each host.
    given: Vec<Vec<u32>>,
    /// How much each spread gives.
    sums: Vec<u32>,
    /// How much each host takes.
    taken: Vec<u32>,
}

/// Where something passes on its way from a spread to a host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Spread(usize),
    Host(usize),
}

impl<'a> Flow<'a> {
    pub(crate) fn new(totals: &'a [u32], eligible: &'a [&'a [usize]], hosts: usize) -> Self {
        Self {
            totals,
            eligible,
            given: vec![vec![0; hosts]; totals.len()],
            sums: vec![0; totals.len()],
            taken: vec![0; hosts],
        }
    }

    /// How much a spread has not given yet.
    pub(crate) fn left(&self, spread: usize) -> u32 {
        at(self.totals, spread).saturating_sub(at(&self.sums, spread))
    }

    /// How much is given in all.
    pub(crate) fn sum(&self) -> u64 {
        self.sums.iter().map(|sum| u64::from(*sum)).sum()
    }

    /// How much each host takes.
    pub(crate) fn taken(&self) -> &[u32] {
        &self.taken
    }

    /// How much a spread gives to a host.
    pub(crate) fn given(&self, spread: usize, host: usize) -> u32 {
        self.given.get(spread).map_or(0, |to| at(to, host))
    }

    /// Gives, whatever the host has room for.
    pub(crate) fn give(&mut self, spread: usize, host: usize, amount: u32) {
        if let Some(to) = self.given.get_mut(spread) {
            add(to, host, amount);
            add(&mut self.sums, spread, amount);
            add(&mut self.taken, host, amount);
        }
    }

    /// Gives as much more as hosts have room for. What a host takes never becomes less, though another spread may
    /// give it then. `room` is how much each host takes at most, in the order in which hosts are preferred.
    pub(crate) fn augment(&mut self, room: &[(usize, u32)]) {
        let mut limits = vec![0; self.taken.len()];
        let mut rank = vec![usize::MAX; self.taken.len()];
        for (place, (host, limit)) in room.iter().enumerate() {
            add(&mut limits, *host, *limit);
            if let Some(rank) = rank.get_mut(*host) {
                *rank = place;
            }
        }
        for spread in 0..self.totals.len() {
            // The short way first: what needs nobody to make room.
            for host in self.preferred(spread, &rank) {
                let amount = self
                    .left(spread)
                    .min(at(&limits, host).saturating_sub(at(&self.taken, host)));
                self.give(spread, host, amount);
            }
        }
        if self.totals.len() > 1 {
            for spread in 0..self.totals.len() {
                while self.left(spread) > 0 && self.reroute(spread, &limits, &rank) {}
            }
        }
    }

    /// The hosts that a spread may give to, the best first.
    fn preferred(&self, spread: usize, rank: &[usize]) -> Vec<usize> {
        let mut hosts = self
            .eligible
            .get(spread)
            .map_or_else(Vec::new, |hosts| hosts.to_vec());
        hosts.sort_by_key(|host| rank.get(*host).copied());
        hosts
    }

    /// Finds a host with room by letting other spreads give elsewhere; answers whether anything more was given.
    fn reroute(&mut self, from: usize, limits: &[u32], rank: &[usize]) -> bool {
        let mut came: Vec<Option<usize>> = vec![None; self.taken.len()];
        let mut through: Vec<Option<usize>> = vec![None; self.totals.len()];
        let mut open = VecDeque::from([Stop::Spread(from)]);
        while let Some(stop) = open.pop_front() {
            match stop {
                Stop::Spread(spread) => {
                    for host in self.preferred(spread, rank) {
                        let Some(place) = came.get_mut(host).filter(|place| place.is_none()) else {
                            continue;
                        };
                        *place = Some(spread);
                        open.push_back(Stop::Host(host));
                    }
                }
                Stop::Host(host) => {
                    let free = at(limits, host).saturating_sub(at(&self.taken, host));
                    if free > 0 {
                        self.shift(from, host, free, &came, &through);
                        return true;
                    }
                    for spread in 0..self.totals.len() {
                        if spread == from || self.given(spread, host) == 0 {
                            continue;
                        }
                        let Some(place) = through.get_mut(spread).filter(|place| place.is_none()) else {
                            continue;
                        };
                        *place = Some(host);
                        open.push_back(Stop::Spread(spread));
                    }
                }
            }
        }
        false
    }

    /// Gives along a way that was found, backwards from the host with room.
    fn shift(
        &mut self,
        from: usize,
        last: usize,
        free: u32,
        came: &[Option<usize>],
        through: &[Option<usize>],
    ) {
        let way = |mut host: usize| {
            let mut hops = Vec::new();
            while let Some(spread) = came.get(host).copied().flatten() {
                let before = through.get(spread).copied().flatten().filter(|_| spread != from);
                hops.push((spread, host, before));
                match before {
                    Some(before) => host = before,
                    None => break,
                }
            }
            hops
        };
        let hops = way(last);
        let moved = hops
            .iter()
            .filter_map(|(spread, _, before)| Some(self.given(*spread, (*before)?)));
        let amount = moved.min().unwrap_or(u32::MAX).min(free).min(self.left(from));
        for (spread, host, before) in hops {
            self.give(spread, host, amount);
            if let Some(before) = before {
                self.take(spread, before, amount);
            }
        }
    }

    fn take(&mut self, spread: usize, host: usize, amount: u32) {
        if let Some(to) = self.given.get_mut(spread) {
            for (list, place) in [(to, host), (&mut self.sums, spread), (&mut self.taken, host)] {
                if let Some(number) = list.get_mut(place) {
                    *number = number.saturating_sub(amount);
                }
            }
        }
    }
}

fn at(list: &[u32], place: usize) -> u32 {
    list.get(place).copied().unwrap_or_default()
}

fn add(list: &mut [u32], place: usize, amount: u32) {
    if let Some(number) = list.get_mut(place) {
        *number = number.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spreads_make_room_for_each_other() {
        // The first spread may use both hosts, the second only host 0: the first has to step aside.
        let eligible: [&[usize]; 2] = [&[0, 1], &[0]];
        let mut flow = Flow::new(&[1, 1], &eligible, 2);
        flow.augment(&[(0, 1), (1, 1)]);
        assert_eq!(flow.sum(), 2);
        assert_eq!((flow.given(0, 1), flow.given(1, 0)), (1, 1));
        assert_eq!(flow.taken(), [1, 1]);
    }

    #[test]
    fn preferred_hosts_come_first() {
        let eligible: [&[usize]; 1] = [&[0, 1, 2]];
        let mut flow = Flow::new(&[1], &eligible, 3);
        flow.augment(&[(2, 1), (0, 1), (1, 1)]);
        assert_eq!(flow.taken(), [0, 0, 1]);
    }

    /// How much can flow at most, by trying all ways of giving one after the other.
    fn brute(totals: &[u32], eligible: &[Vec<usize>], room: &[u32]) -> u64 {
        let Some(spread) = totals.iter().position(|total| *total > 0) else {
            return 0;
        };
        let mut without = totals.to_vec();
        without[spread] -= 1;
        let mut best = brute(&without, eligible, room);
        for host in &eligible[spread] {
            if room[*host] > 0 {
                let mut room = room.to_vec();
                room[*host] -= 1;
                best = best.max(1 + brute(&without, eligible, &room));
            }
        }
        best
    }

    proptest! {
        #[test]
        fn as_much_flows_as_can(
            totals in prop::collection::vec(0..3u32, 1..4),
            reach in prop::collection::vec(prop::collection::btree_set(0..3usize, 0..3), 4),
            room in prop::collection::vec(0..3u32, 3),
        ) {
            let lists: Vec<Vec<usize>> = reach.iter().take(totals.len()).map(|set| set.iter().copied().collect()).collect();
            let eligible: Vec<&[usize]> = lists.iter().map(Vec::as_slice).collect();
            let mut flow = Flow::new(&totals, &eligible, 3);
            let limits: Vec<(usize, u32)> = room.iter().copied().enumerate().collect();
            flow.augment(&limits);
            prop_assert_eq!(flow.sum(), brute(&totals, &lists, &room));
            for (host, room) in room.iter().copied().enumerate() {
                let given: u32 = (0..totals.len()).map(|spread| flow.given(spread, host)).sum();
                prop_assert_eq!(given, flow.taken()[host]);
                prop_assert!(given <= room);
                for (spread, list) in lists.iter().enumerate() {
                    prop_assert!(flow.given(spread, host) == 0 || list.contains(&host));
                }
            }
            for (spread, total) in totals.iter().enumerate() {
                prop_assert!(flow.left(spread) <= *total);
            }
        }
    }
}
