//! `daemonscaler`: the same number on every eligible host. A host that several spreads choose has it once, as it has
//! one entry for each component.

use std::rc::Rc;

use wasmcloud_manifest::Scaler;

use crate::planning::scaler::Targets;

/// What each of `hosts` hosts shall have.
pub(crate) fn targets<'a>(scaler: &'a Scaler, eligible: &[Rc<[usize]>], hosts: usize) -> Targets<'a> {
    let mut targets = Targets {
        counts: vec![0; hosts],
        spreads: vec![Vec::new(); hosts],
    };
    for (spread, places) in scaler.spread.iter().zip(eligible) {
        for place in places.iter() {
            if let (Some(count), Some(spreads)) =
                (targets.counts.get_mut(*place), targets.spreads.get_mut(*place))
            {
                *count = scaler.instances;
                spreads.push(&spread.name);
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use wasmcloud_manifest::{ScalerKind, Spread};

    use super::*;

    #[test]
    fn every_eligible_host_has_the_same() {
        let spread = |name: &str| Spread {
            name: name.to_owned(),
            ..Spread::anywhere()
        };
        let scaler = Scaler {
            kind: ScalerKind::Daemon,
            instances: 3,
            auto: None,
            spread: vec![spread("a"), spread("b")],
        };
        let found = targets(&scaler, &[Rc::from([0, 1]), Rc::from([1, 3])], 4);
        assert_eq!(found.counts, [3, 3, 0, 3]);
        assert_eq!(found.spreads, [vec!["a"], vec!["a", "b"], vec![], vec!["b"]]);
    }
}
