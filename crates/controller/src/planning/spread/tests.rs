//! Tables and properties of divisions.

use proptest::prelude::*;

use super::*;

#[derive(Debug)]
struct Case {
    totals: Vec<u32>,
    eligible: Vec<Vec<usize>>,
    running: Vec<u32>,
    avoid: Vec<bool>,
    rebalance_over: Option<u32>,
}

impl Case {
    fn new(totals: &[u32], eligible: &[&[usize]], running: &[u32]) -> Self {
        Self {
            totals: totals.to_vec(),
            eligible: eligible.iter().map(|hosts| hosts.to_vec()).collect(),
            running: running.to_vec(),
            avoid: vec![false; running.len()],
            rebalance_over: None,
        }
    }

    /// How much each host gets, and how much each spread gives.
    fn divide(&self) -> (Vec<u32>, Vec<u32>) {
        let eligible: Vec<&[usize]> = self.eligible.iter().map(Vec::as_slice).collect();
        let rank: Vec<usize> = (0..self.running.len()).collect();
        let flow = Division {
            totals: &self.totals,
            eligible: &eligible,
            running: &self.running,
            rank: &rank,
            avoid: &self.avoid,
            rebalance_over: self.rebalance_over,
        }
        .divide();
        let left = (0..self.totals.len()).map(|spread| self.totals[spread] - flow.left(spread));
        (flow.taken().to_vec(), left.collect())
    }

    #[track_caller]
    fn check(&self, hosts: &[u32]) {
        assert_eq!(self.divide().0, hosts);
    }
}

#[test]
fn empty_hosts_are_filled_evenly() {
    Case::new(&[10], &[&[0, 1, 2]], &[0, 0, 0]).check(&[4, 3, 3]);
    Case::new(&[2], &[&[0, 1, 2]], &[0, 0, 0]).check(&[1, 1, 0]);
    Case::new(&[8, 2], &[&[0, 1], &[2]], &[0, 0, 0]).check(&[4, 4, 2]);
}

#[test]
fn what_runs_stays_where_the_totals_allow() {
    // A host joined: nothing moves.
    Case::new(&[10], &[&[0, 1, 2]], &[5, 5, 0]).check(&[5, 5, 0]);
    // One left: only its part is placed anew.
    Case::new(&[9], &[&[0, 2]], &[3, 0, 3]).check(&[5, 0, 4]);
    // More are wanted: the emptiest get them.
    Case::new(&[13], &[&[0, 1, 2]], &[5, 5, 0]).check(&[5, 5, 3]);
    // Fewer are wanted: the fullest are cut.
    Case::new(&[6], &[&[0, 1, 2]], &[10, 0, 2]).check(&[4, 0, 2]);
    Case::new(&[0], &[&[0, 1]], &[3, 4]).check(&[0, 0]);
}

#[test]
fn spreads_apart_are_cut_apart() {
    Case::new(&[10, 100], &[&[0, 1], &[2]], &[10, 8, 100]).check(&[5, 5, 100]);
}

#[test]
fn several_spreads_on_one_host_add_up() {
    Case::new(&[3, 2], &[&[0], &[0]], &[0]).check(&[5]);
    Case::new(&[3, 2], &[&[0, 1], &[0]], &[0, 0]).check(&[3, 2]);
}

#[test]
fn overlapping_spreads_do_not_fight_for_what_runs() {
    // Whichever spread is asked first, both instances can stay.
    Case::new(&[1, 1], &[&[0, 1], &[1]], &[1, 1]).check(&[1, 1]);
    Case::new(&[1, 1], &[&[0, 1], &[1, 2]], &[0, 1, 1]).check(&[0, 1, 1]);
}

#[test]
fn nobody_eligible_gives_nothing() {
    let (hosts, given) = Case::new(&[3, 2], &[&[], &[0]], &[0]).divide();
    assert_eq!((hosts, given), (vec![2], vec![0, 2]));
}

#[test]
fn hosts_that_fail_are_avoided_while_there_are_others() {
    let case = |avoid: &[bool]| Case {
        avoid: avoid.to_vec(),
        ..Case::new(&[2], &[&[0, 1]], &[0, 0])
    };
    case(&[true, false]).check(&[0, 2]);
    case(&[true, true]).check(&[1, 1]);
}

#[test]
fn balance_is_restored_only_if_asked_for() {
    let case = |over: Option<u32>, running: &[u32]| Case {
        rebalance_over: over,
        ..Case::new(&[9], &[&[0, 1, 2]], running)
    };
    case(None, &[9, 0, 0]).check(&[9, 0, 0]);
    case(Some(100), &[9, 0, 0]).check(&[3, 3, 3]);
    case(Some(100), &[6, 3, 0]).check(&[6, 3, 0]);
    case(Some(99), &[6, 3, 0]).check(&[3, 3, 3]);
}

prop_compose! {
    fn cases()(hosts in 1..7usize)(
        totals in prop::collection::vec(0..12u32, 1..4),
        sets in prop::collection::vec(prop::collection::btree_set(0..hosts, 0..=hosts), 4),
        running in prop::collection::vec(0..8u32, hosts),
    ) -> Case {
        let eligible = sets.into_iter().take(totals.len()).map(|set| set.into_iter().collect()).collect();
        Case { totals, eligible, avoid: vec![false; running.len()], running, rebalance_over: None }
    }
}

proptest! {
    #[test]
    fn a_division_gives_all_and_is_stable(case in cases()) {
        let (hosts, given) = case.divide();
        for (spread, total) in case.totals.iter().enumerate() {
            let expect = if case.eligible[spread].is_empty() { 0 } else { *total };
            prop_assert_eq!(given[spread], expect);
        }
        prop_assert_eq!(hosts.iter().sum::<u32>(), given.iter().sum::<u32>());
        // What was reached is kept whole, whatever the spreads share.
        let again = Case { running: hosts.clone(), ..case };
        prop_assert_eq!(again.divide().0, hosts);
    }

    #[test]
    fn no_division_moves_more_than_it_must(case in cases()) {
        let (hosts, given) = case.divide();
        let kept: u32 = hosts.iter().zip(&case.running).map(|(after, before)| *after.min(before)).sum();
        let usable: u32 = (0..case.running.len())
            .filter(|host| case.eligible.iter().any(|hosts| hosts.contains(host)))
            .map(|host| case.running[host])
            .sum();
        if case.totals.len() == 1 {
            prop_assert_eq!(kept, usable.min(given[0]));
        }
    }

    #[test]
    fn an_empty_spread_is_filled_evenly(total in 0..1_000u32, hosts in 1..20usize) {
        let all: Vec<usize> = (0..hosts).collect();
        let (hosts, _) = Case::new(&[total], &[&all], &vec![0; hosts]).divide();
        prop_assert!(hosts.iter().max().unwrap() - hosts.iter().min().unwrap() <= 1);
    }

    #[test]
    fn balancing_anew_is_stable_too(running in prop::collection::vec(0..30u32, 1..6), total in 0..60u32, over in 0..200u32) {
        let all: Vec<usize> = (0..running.len()).collect();
        let case = Case { rebalance_over: Some(over), ..Case::new(&[total], &[&all], &running) };
        let (hosts, _) = case.divide();
        let again = Case { running: hosts.clone(), ..case };
        prop_assert_eq!(again.divide().0, hosts);
    }
}
