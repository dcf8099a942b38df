//! Links: compared in full, put where they differ, and never in the way of links that are not ours.
//!
//! A link is known by both ends, its name and its package; what an application's revisions name so is ours. Links are
//! removed by key, which says nothing of the target, so a removal that would take somebody else's link along is not
//! made.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use wasmcloud_core::{AppName, ComponentId, ConfigName, Link};
use wasmcloud_manifest::{Desired, DesiredComponent, DesiredLink};

use crate::planning::app::App;
use crate::planning::claims::{Claims, LinkId};
use crate::planning::configs::{self, Unready};
use crate::planning::desk::{self, Desk};
use crate::planning::marks;
use crate::planning::scaler::shares;
use crate::planning::status::{PartKind, PartReport, Status, StatusKind};
use crate::planning::step::{Action, Step, StepKey};
use crate::planning::view::View;
use crate::planning::why::{Decision, Wait};

/// After how long all hosts have said of a link whether they refuse it: they are asked each second whether anything has
/// changed there, and a built-in provider looks at a link at once.
const HEARD_AFTER: Duration = Duration::from_millis(2_500);

/// The links of one application that it shall have or had.
pub(crate) struct Known<'a> {
    /// All that any revision names.
    named: HashSet<LinkId<'a>>,
    /// Those that it shall have.
    desired: HashSet<LinkId<'a>>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(
        revisions: impl Iterator<Item = &'a [DesiredLink]>,
        desired: &'a [DesiredLink],
    ) -> Self {
        let id = |link: &'a DesiredLink| LinkId::of(&link.link);
        Self {
            named: revisions.flatten().map(id).collect(),
            desired: desired.iter().map(id).collect(),
        }
    }

    /// All that any revision names.
    pub(crate) fn named(&self) -> &HashSet<LinkId<'a>> {
        &self.named
    }

    /// Whether the application shall have a link.
    pub(crate) fn desires(&self, id: &LinkId<'_>) -> bool {
        self.desired.contains(id)
    }

    /// The links that go away together with `id` when its key is deleted and that this application may not remove:
    /// not its own, or those of other applications too.
    pub(crate) fn in_the_way<'v>(
        &self,
        app: &AppName,
        claims: &Claims<'_>,
        id: &LinkId<'_>,
        of_source: &[&'v Link],
    ) -> Option<&'v Link> {
        let siblings = of_source.iter().filter(|link| LinkId::of(link).has_key_of(id));
        let mut foreign = siblings.filter(|link| {
            let id = LinkId::of(link);
            !self.named.contains(&id) || claims.link(id).is_some_and(|owner| owner != app)
        });
        foreign.next().copied()
    }
}

/// A link as it is put: references to secrets are among its configs.
pub(crate) fn full(desired: &DesiredLink) -> Link {
    let with =
        |configs: &[ConfigName], secrets: &[ConfigName]| configs.iter().chain(secrets).cloned().collect();
    Link {
        source_config: with(&desired.link.source_config, &desired.source_secrets),
        target_config: with(&desired.link.target_config, &desired.target_secrets),
        ..desired.link.clone()
    }
}

/// Plans one link.
pub(crate) fn plan<'a>(
    app: &App<'a>,
    desired: &DesiredLink,
    known: &Known<'a>,
    unready: &Unready<'_>,
    view: &View<'_>,
    desk: &mut Desk<'_>,
) -> PartReport {
    let link = full(desired);
    let waits = unready.of(link.source_config.iter().chain(&link.target_config));
    let (status, waits) = match app.claims.link(LinkId::of(&link)) {
        Some(owner) if owner != app.name => {
            let text = format!("Link {link} belongs to application {owner}");
            let wait = Wait::Taken {
                what: format!("link `{link}`"),
                by: owner.clone(),
            };
            (Status::new(StatusKind::Failed, text), vec![wait])
        }
        _ if !waits.is_empty() => (configs::unready(&waits), waits),
        _ => Putting {
            app,
            link: &link,
            known,
            view,
        }
        .plan(desk),
    };
    PartReport {
        id: scaler_id(app, &link),
        kind: PartKind::Link,
        // As v1 says it.
        name: format!(
            "{} -({}:{})-> {}",
            link.source, link.namespace, link.package, link.target
        ),
        status,
        decision: Decision {
            waits,
            ..Decision::default()
        },
    }
}

/// The components that have to wait for a link.
///
/// Where they are refused without, for one that is neither there nor put in this plan, whose steps find what those before
/// them have put. What would take calls of a revision with other links waits until its own are seen to be there, no host
/// refuses them though all had the time to say so, and what they go to runs.
pub(crate) fn missing<'a>(
    desired: &'a Desired,
    planned: &[PartReport],
    view: &View<'_>,
    desk: &Desk<'_>,
) -> HashMap<&'a ComponentId, Vec<Wait>> {
    let mut missing: HashMap<&ComponentId, Vec<Wait>> = HashMap::new();
    let takes_calls: HashSet<&ComponentId> = desired
        .components
        .iter()
        .filter(|component| has_other_links(component, view))
        .map(|component| &component.id)
        .collect();
    if !desired.links_required && takes_calls.is_empty() {
        return missing;
    }
    let put = |wait: &Wait| matches!(wait, Wait::Sent(_) | Wait::Refused { .. });
    for (link, report) in desired.links.iter().zip(planned) {
        let source = &link.link.source;
        let waits = report.status.kind != StatusKind::Deployed
            && (takes_calls.contains(source)
                || (desired.links_required && !report.decision.waits.iter().all(put)));
        if waits {
            let waits = missing.entry(source).or_default();
            waits.push(Wait::Link(report.name.clone()));
        }
        if !takes_calls.contains(source) {
            continue;
        }
        let target = &link.link.target;
        let mut waits = Vec::new();
        if is_on_its_way(desired, target, view) {
            waits.push(Wait::Target(target.clone()));
        }
        if let Some((since, now)) = desk.seen_since(&StepKey::PutLink(link.link.key(), target.clone()))
            && now < since + HEARD_AFTER
        {
            waits.push(Wait::Word {
                link: report.name.clone(),
                until: since + HEARD_AFTER,
            });
        }
        if !waits.is_empty() {
            missing.entry(source).or_default().extend(waits);
        }
    }
    missing
}

/// Whether something of the application is going to run and does not yet.
fn is_on_its_way(desired: &Desired, id: &ComponentId, view: &View<'_>) -> bool {
    let component = desired.components.iter().find(|one| one.id == *id);
    let provider = desired.providers.iter().find(|one| one.id == *id);
    let own_links = component.is_some_and(|one| one.link_suffix.is_some());
    let scaler = component.and_then(|one| one.scaler.as_ref());
    let scaler = scaler.or(provider.map(|one| &one.scaler));
    let starts = scaler.is_some_and(|scaler| {
        let mut spreads = scaler.spread.iter().zip(shares(scaler, scaler.instances));
        spreads.any(|(spread, share)| share > 0 && view.is_room(&spread.requirements, own_links))
    });
    starts && view.component(id).is_empty() && view.provider(id).is_empty()
}

/// Whether a revision of a component runs that finds its links by other names.
fn has_other_links(component: &DesiredComponent, view: &View<'_>) -> bool {
    let mut running = view.component(&component.id).iter();
    let own = component.link_suffix.as_ref();
    running.any(|(_, running)| running.link_suffixes().any(|suffix| suffix != own))
}

/// Over all fields, as in v1 (wire reference §8.6).
fn scaler_id(app: &App<'_>, link: &Link) -> String {
    let words = [
        PartKind::Link.name(),
        app.name.as_str(),
        link.source.as_str(),
        link.target.as_str(),
        link.name.as_str(),
        &link.namespace,
        &link.package,
        link.route.name(),
    ];
    let configs = link.source_config.iter().map(ConfigName::as_str).chain(["to"]);
    let configs = configs.chain(link.target_config.iter().map(ConfigName::as_str));
    marks::hash(
        words
            .into_iter()
            .chain(link.interfaces.iter().map(String::as_str))
            .chain(["with"])
            .chain(configs),
    )
}

/// One link that may be put.
struct Putting<'p, 'a, 'v> {
    app: &'p App<'a>,
    link: &'p Link,
    known: &'p Known<'a>,
    view: &'p View<'v>,
}

impl Putting<'_, '_, '_> {
    fn plan(&self, desk: &mut Desk<'_>) -> (Status, Vec<Wait>) {
        let Self { link, view, .. } = *self;
        let id = LinkId::of(link);
        let present = view
            .links_of(&link.source)
            .iter()
            .find(|other| LinkId::of(other) == id);
        if present.is_some_and(|present| self.same(present)) {
            let Some((host, why)) = view.refusal(link) else {
                return (Status::deployed(), Vec::new());
            };
            let text = format!("Link {link} is not in effect on host {host}: {why}");
            let wait = Wait::Refused {
                host: host.clone(),
                why: why.to_owned(),
            };
            return (Status::new(StatusKind::Failed, text), vec![wait]);
        }
        let conflict = view
            .links_of(&link.source)
            .iter()
            .find(|other| other.conflicts_with(link));
        let doing = format!(
            "Putting link definition between {} and {}",
            link.source, link.target
        );
        // v1 hosts tell providers nothing of a link that merely changes.
        let make_room = conflict.is_some() || (present.is_some() && !view.in_place);
        if make_room
            && let Some(foreign) =
                self.known
                    .in_the_way(self.app.name, self.app.claims, &id, view.links_of(&link.source))
        {
            let text = format!("{doing}: {foreign} is in the way, which this application did not put");
            return (
                Status::new(StatusKind::Failed, text),
                vec![Wait::Foreign(format!("link `{foreign}`"))],
            );
        }
        let turns = conflict.filter(|_| present.is_none() && view.in_place && self.may_turn());
        let mut waits = Vec::new();
        if let Some(from) = turns {
            if self.would_find_nobody() {
                return (
                    Status::new(StatusKind::Reconciling, doing),
                    vec![Wait::Target(link.target.clone())],
                );
            }
            let (link, from) = (link.clone(), from.target.clone());
            let why = format!("it goes to {from}, not to {}", link.target);
            let wait = desk.want(self.step(Action::TurnLink { link, from }, why));
            let waits = vec![wait];
            return (desk::status(&doing, &waits), waits);
        }
        if make_room {
            let why = match conflict {
                Some(other) => format!("it goes to {}, not to {}", other.target, link.target),
                None => "it differs, and hosts of v1 do not change links in place".to_owned(),
            };
            waits.push(desk.want(self.step(Action::DeleteLink(link.key()), why)));
        }
        // A deletion that is still under way could take a link along that is put now.
        if waits.iter().all(|wait| matches!(wait, Wait::Sent(_))) {
            let why = match present {
                Some(present) => self.difference(present),
                None => "there is no such link".to_owned(),
            };
            waits.push(desk.want(self.step(Action::PutLink(link.clone()), why)));
        }
        (desk::status(&doing, &waits), waits)
    }

    /// Whether the target is a component that is going to run and does not yet, while the source does.
    fn would_find_nobody(&self) -> bool {
        let Self { app, link, view, .. } = self;
        let calls = !view.component(&link.source).is_empty() || !view.provider(&link.source).is_empty();
        let to_component = || app.desired.components.iter().any(|one| one.id == link.target);
        calls && to_component() && is_on_its_way(app.desired, &link.target, view)
    }

    /// Whether the only link with its key that goes elsewhere leaves: then it turns, and nobody who calls over it meanwhile
    /// finds none.
    fn may_turn(&self) -> bool {
        let id = LinkId::of(self.link);
        let mut others = self
            .view
            .links_of(&self.link.source)
            .iter()
            .filter(|other| LinkId::of(other).has_key_of(&id));
        match (others.next(), others.next()) {
            (Some(one), None) => !self.known.desires(&LinkId::of(one)),
            _ => false,
        }
    }

    fn step(&self, action: Action, why: String) -> Step {
        Step {
            app: self.app.name.clone(),
            action,
            why,
        }
    }

    /// Hosts of v1 do not keep the route, so among them it tells nothing.
    fn same(&self, other: &Link) -> bool {
        let link = self.link;
        interfaces(other) == interfaces(link)
            && other.source_config == link.source_config
            && other.target_config == link.target_config
            && (other.route == link.route || !self.view.in_place)
    }

    fn difference(&self, other: &Link) -> String {
        let link = self.link;
        let what = if interfaces(other) != interfaces(link) {
            "interfaces"
        } else if other.source_config != link.source_config {
            "configs of the source"
        } else if other.target_config != link.target_config {
            "configs of the target"
        } else {
            "route"
        };
        format!("the link has other {what}")
    }
}

fn interfaces(link: &Link) -> BTreeSet<&str> {
    link.interfaces.iter().map(String::as_str).collect()
}
