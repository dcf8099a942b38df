//! What a command comes to, given what runs under the id: which revision is meant, and whether it has to be started, gets
//! another share of the calls, takes the place of the other or makes room for it. Decided here without doing anything.

use wasmcloud_core::Limits;
use wasmcloud_wire::control::{FULL_WEIGHT, REVISION};

use crate::components::ComponentSpec;

/// What a command comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A start, which ends in this place.
    Start(Place),
    /// Another weight for the candidate. The command was about this revision.
    Weigh(Meant, u8),
    /// The candidate takes the place of the current revision.
    Promote,
    /// The candidate goes.
    Drop,
    /// The current revision, which runs alone, runs with another number of instances.
    Resize,
}

/// Where a revision goes that is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the place of everything that runs.
    Alone,
    /// In the place of the current revision; the candidate stays, with this weight.
    Current(u8),
    /// Beside the current revision, with this weight; in the place of a candidate, if there is one.
    Beside(u8),
}

/// One of two revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// The one that runs.
    Current,
    /// The one that may replace it.
    Candidate,
}

/// The step from what runs to what is asked for. A start may turn out to change nothing, once it is known what the image
/// is; for the other steps what runs is what is meant, whatever its image has become meanwhile.
pub(crate) fn step(
    current: Option<&ComponentSpec>,
    candidate: Option<&ComponentSpec>,
    asked: &ComponentSpec,
) -> Step {
    let weight = asked.weight.filter(|weight| *weight < FULL_WEIGHT);
    let Some(current) = current else {
        return Step::Start(Place::Alone);
    };
    let is_current = is_revision(current, asked);
    let Some(candidate) = candidate else {
        // The same revision is the same code, as it was found when it started.
        if is_current && asked.annotations.contains_key(REVISION) && is_resized(current, asked) {
            return Step::Resize;
        }
        return Step::Start(match weight {
            Some(weight) if !is_current => Place::Beside(weight),
            _ => Place::Alone,
        });
    };
    let rest = |weight| FULL_WEIGHT - weight;
    if is_current {
        let as_it_is = runs_as(current, asked);
        match weight {
            None if as_it_is => Step::Drop,
            None => Step::Start(Place::Alone),
            Some(weight) if as_it_is => Step::Weigh(Meant::Current, rest(weight)),
            Some(weight) => Step::Start(Place::Current(rest(weight))),
        }
    } else {
        let as_it_is = is_revision(candidate, asked) && runs_as(candidate, asked);
        match weight {
            None if as_it_is => Step::Promote,
            None => Step::Start(Place::Alone),
            Some(weight) if as_it_is => Step::Weigh(Meant::Candidate, weight),
            Some(weight) => Step::Start(Place::Beside(weight)),
        }
    }
}

/// Whether both are the same revision. If both say which they are, that alone decides: the same revision may run with
/// other limits, for example more instances.
fn is_revision(runs: &ComponentSpec, asked: &ComponentSpec) -> bool {
    match (runs.annotations.get(REVISION), asked.annotations.get(REVISION)) {
        (Some(runs), Some(asked)) => runs == asked,
        _ => runs_as(runs, asked),
    }
}

/// Whether what runs need not be started anew to be what is asked for.
fn runs_as(runs: &ComponentSpec, asked: &ComponentSpec) -> bool {
    runs.limits == asked.limits && is_same_code(runs, asked)
}

/// Whether both are the same but for their limits, with the same configs and links.
fn is_same_code(runs: &ComponentSpec, asked: &ComponentSpec) -> bool {
    (&runs.image, &runs.config, &runs.link_suffix) == (&asked.image, &asked.config, &asked.link_suffix)
}

/// Whether what is asked for is what runs with another number of instances, and nothing else is another.
pub(crate) fn is_resized(runs: &ComponentSpec, asked: &ComponentSpec) -> bool {
    let limits = Limits {
        concurrency: asked.limits.concurrency,
        ..runs.limits.clone()
    };
    let instances = |spec: &ComponentSpec| (spec.count, spec.limits.concurrency);
    instances(runs) != instances(asked) && limits == asked.limits && is_same_code(runs, asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::Unlinked;

    /// `image@revision*instances`; revision and instances may be left out.
    fn spec(text: &str, weight: Option<u8>) -> ComponentSpec {
        let (text, instances) = text.split_once('*').unwrap_or((text, "1"));
        let (image, revision) = match text.split_once('@') {
            Some((image, revision)) => (image, Some(revision)),
            None => (text, None),
        };
        let image = format!("ghcr.io/acme/{image}:1");
        let note = |revision: &str| (REVISION.to_owned(), revision.to_owned());
        ComponentSpec {
            id: "a".parse().unwrap(),
            image: image.parse().unwrap(),
            reference: image,
            count: instances.parse().unwrap(),
            limits: Limits {
                concurrency: instances.parse().unwrap(),
                ..Limits::default()
            },
            config: Vec::new(),
            annotations: revision.map(note).into_iter().collect(),
            unlinked: Unlinked::Allow,
            weight,
            probe: None,
            link_suffix: None,
        }
    }

    #[track_caller]
    fn check(runs: (&str, &str), asked: &str, weight: impl Into<Option<u8>>, expected: Step) {
        let some = |text: &str| (!text.is_empty()).then(|| spec(text, None));
        let (current, candidate) = (some(runs.0), some(runs.1));
        let found = step(current.as_ref(), candidate.as_ref(), &spec(asked, weight.into()));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_comes_first_simply_starts() {
        for weight in [None, Some(0), Some(30), Some(100)] {
            check(("", ""), "v1", weight, Step::Start(Place::Alone));
        }
    }

    #[test]
    fn another_revision_goes_beside_what_runs_or_replaces_it() {
        let runs = ("v1", "");
        check(runs, "v2", None, Step::Start(Place::Alone));
        check(runs, "v2", 100, Step::Start(Place::Alone));
        check(runs, "v2", 0, Step::Start(Place::Beside(0)));
        check(runs, "v1*2", 99, Step::Start(Place::Beside(99)));
        // It is the one that runs: there is nobody beside whom it could be.
        check(runs, "v1", 30, Step::Start(Place::Alone));
        check(("v1@a", ""), "v1@a", 30, Step::Start(Place::Alone));
        check(("v1@a", ""), "v1@b", 30, Step::Start(Place::Beside(30)));
        check(("v1", ""), "v1@b", 30, Step::Start(Place::Alone));
    }

    #[test]
    fn what_runs_alone_gets_another_number_of_instances() {
        for weight in [None, Some(30), Some(100)] {
            check(("v1@a", ""), "v1@a*2", weight, Step::Resize);
        }
        // Whether it is the same code is known only once the image was looked at.
        check(("v1", ""), "v1*2", None, Step::Start(Place::Alone));
        // Something else is another as well.
        check(("v1@a", ""), "v2@a*2", None, Step::Start(Place::Alone));
    }

    #[test]
    fn the_candidate_gets_another_weight_or_takes_over() {
        let runs = ("v1@a", "v2@b");
        let candidate = |weight| Step::Weigh(Meant::Candidate, weight);
        check(runs, "v2@b", 60, candidate(60));
        check(runs, "v2@b", None, Step::Promote);
        check(runs, "v2@b", 100, Step::Promote);
        // The same revision with more instances has to be started.
        check(runs, "v2@b*5", 60, Step::Start(Place::Beside(60)));
        check(runs, "v2@b*5", None, Step::Start(Place::Alone));
        check(("v1", "v2"), "v2", 60, candidate(60));
        check(("v1", "v2"), "v2@b", None, Step::Promote);
    }

    #[test]
    fn the_current_one_takes_all_calls_back_or_the_rest() {
        let runs = ("v1@a", "v2@b");
        check(runs, "v1@a", None, Step::Drop);
        check(runs, "v1@a", 100, Step::Drop);
        check(runs, "v1@a", 90, Step::Weigh(Meant::Current, 10));
        check(runs, "v1@a", 0, Step::Weigh(Meant::Current, 100));
        check(runs, "v1@a*5", 90, Step::Start(Place::Current(10)));
        check(runs, "v1@a*5", None, Step::Start(Place::Alone));
        check(("v1", "v2"), "v1", None, Step::Drop);
    }

    #[test]
    fn a_third_one_replaces_the_candidate_or_both() {
        for runs in [("v1@a", "v2@b"), ("v1", "v2")] {
            check(runs, "v3@c", 10, Step::Start(Place::Beside(10)));
            check(runs, "v3@c", None, Step::Start(Place::Alone));
        }
        // What runs as the candidate does, and says that it is not it.
        check(("v1@a", "v2@b"), "v2@c", None, Step::Start(Place::Alone));
    }
}
