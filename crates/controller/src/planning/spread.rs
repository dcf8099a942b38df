//! Where the instances of a component with a `spreadscaler` go.
//!
//! 1. Shares: each spread gets its part of the instances by weight.
//! 2. Keep: what runs on eligible hosts stays, as much of it as any division among the spreads can keep; if too much
//!    runs, the fullest hosts are cut.
//! 3. Place: what is missing goes where fewest of this component run, among those to where fewest things run at all.
//!
//! So hosts that start empty differ by at most one within a spread, and nothing moves for balance alone
//! ([`Options::rebalance_over`](crate::Options::rebalance_over) says otherwise).

use crate::planning::flow::Flow;
use crate::planning::share;

/// What a division depends on. Hosts are places in a list.
pub(crate) struct Division<'a> {
    /// How many instances each spread has.
    pub(crate) totals: &'a [u32],
    /// The hosts that each spread may use, ascending.
    pub(crate) eligible: &'a [&'a [usize]],
    /// How many instances run on each host, or will when what is under way is done.
    pub(crate) running: &'a [u32],
    /// Hosts by preference among equals, the best first: a number for each host.
    pub(crate) rank: &'a [usize],
    /// Hosts where it failed to start several times: taken only where there are no others.
    pub(crate) avoid: &'a [bool],
    /// See [`Options::rebalance_over`](crate::Options::rebalance_over).
    pub(crate) rebalance_over: Option<u32>,
}

impl<'a> Division<'a> {
    /// Who gives how much to which host.
    pub(crate) fn divide(&self) -> Flow<'a> {
        let mut flow = self.keep();
        // Those with the fewest hosts first: the others can go around them.
        let mut order: Vec<usize> = (0..self.totals.len()).collect();
        order.sort_by_key(|spread| (self.eligible.get(*spread).map_or(0, |hosts| hosts.len()), *spread));
        for spread in order {
            self.place(&mut flow, spread);
        }
        flow
    }

    fn keep(&self) -> Flow<'a> {
        let kept = |level: &dyn Fn(usize) -> u32| {
            let running = self.running.iter().copied().enumerate();
            let room: Vec<(usize, u32)> = running
                .map(|(host, running)| (host, running.min(level(host))))
                .collect();
            let mut flow = Flow::new(self.totals, self.eligible, self.running.len());
            flow.augment(&room);
            flow
        };
        if let Some(level) = self.even_level() {
            return kept(&|_| level);
        }
        let all = kept(&|_| u32::MAX);
        if all.taken() == self.running {
            return all;
        }
        // Too much runs somewhere. The lowest level that keeps as much cuts the fullest hosts.
        match self.levels_apart() {
            Some(levels) => kept(&|host| levels.get(host).copied().unwrap_or_default()),
            None => {
                let level = share::lowest(|level| kept(&|_| level).sum() >= all.sum());
                kept(&|_| level)
            }
        }
    }

    /// A level for each host, where no host is eligible for two spreads.
    fn levels_apart(&self) -> Option<Vec<u32>> {
        let mut levels = vec![None; self.running.len()];
        for (total, hosts) in self.totals.iter().zip(self.eligible) {
            let held: Vec<u32> = hosts
                .iter()
                .filter_map(|host| self.running.get(*host))
                .copied()
                .collect();
            let level = share::cut(&held, u64::from(*total));
            for host in *hosts {
                let place = levels.get_mut(*host)?;
                if place.replace(level).is_some() {
                    return None;
                }
            }
        }
        Some(levels.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The level to which hosts are cut where a single spread is to be balanced anew.
    fn even_level(&self) -> Option<u32> {
        let over = self.rebalance_over?;
        let ([total], [hosts]) = (self.totals, self.eligible) else {
            return None;
        };
        let even = u64::from(*total).div_ceil(u64::try_from(hosts.len()).ok().filter(|hosts| *hosts > 0)?);
        let most = hosts.iter().filter_map(|host| self.running.get(*host)).max()?;
        let uneven = u64::from(*most) * 100 > even * (100 + u64::from(over));
        uneven.then(|| u32::try_from(even).unwrap_or(u32::MAX))
    }

    fn place(&self, flow: &mut Flow<'a>, spread: usize) {
        let eligible: &[usize] = self.eligible.get(spread).copied().unwrap_or_default();
        let avoided = |host: &usize| self.avoid.get(*host).copied().unwrap_or_default();
        let mut hosts: Vec<usize> = eligible.iter().copied().filter(|host| !avoided(host)).collect();
        if hosts.is_empty() {
            hosts = eligible.to_vec();
        }
        let left = flow.left(spread);
        if left == 0 || hosts.is_empty() {
            return;
        }
        let held = |flow: &Flow<'_>, host: usize| flow.taken().get(host).copied().unwrap_or_default();
        let levels: Vec<u32> = hosts.iter().map(|host| held(flow, *host)).collect();
        let level = share::fill(&levels, u64::from(left));
        for host in &hosts {
            flow.give(spread, *host, level.saturating_sub(held(flow, *host)));
        }
        hosts.retain(|host| held(flow, *host) <= level);
        hosts.sort_by_key(|host| self.rank.get(*host).copied());
        let rest = usize::try_from(flow.left(spread)).unwrap_or(usize::MAX);
        for host in hosts.into_iter().take(rest) {
            flow.give(spread, host, 1);
        }
    }
}

#[cfg(test)]
mod tests;
