//! Components and providers one by one: names, ids, images, scalers and runtime limits.

use std::collections::HashMap;

use wasmcloud_core::{ComponentId, ImageRef, InstanceMode, Limits, parse_bytes, parse_duration};

use super::{Ids, is_provider, map, named, triggers};
use crate::application::PartKind;
use crate::desired::{Autoscale, Scaler, ScalerKind, Spread};
use crate::diagnostic::Sink;
use crate::document::{self, Component, Document, Shared, Text, TraitKind};
use crate::source::{Position, Spanned};

/// Smallest linear memory that is of any use: one page of WebAssembly memory.
const MIN_MEMORY: u64 = 64 << 10;

/// The id of each component. Names, written ids and ids made from names are each unique.
pub(super) fn ids(app: &str, document: &Document, sink: &mut Sink) -> Ids {
    let mut names: HashMap<&str, Position> = HashMap::new();
    let mut taken: HashMap<ComponentId, (&str, Position, bool)> = HashMap::new();
    let mut ids = Vec::with_capacity(document.components.len());
    for component in &document.components {
        let Some(name) = &component.name else {
            ids.push(None);
            continue;
        };
        if name.value.is_empty() {
            sink.error(name.at, "a component's name must not be empty");
            ids.push(None);
            continue;
        }
        if let Some(first) = names.get(name.as_str()) {
            sink.error(
                name.at,
                format!("Duplicate component name in manifest: {}", name.value),
            )
            .related(*first, "the first of that name");
            ids.push(None);
            continue;
        }
        names.insert(name.as_str(), name.at);
        let id = id(app, component, name, sink);
        if let Some(id) = &id {
            let (at, written) = match &component.id {
                Some(written) => (written.at, true),
                None => (name.at, false),
            };
            match taken.get(id) {
                Some((_, first, true)) if written => {
                    sink.error(at, format!("Duplicate component identifier in manifest: {id}"))
                        .related(*first, "the first with that id");
                }
                // Two references to one shared component are one component.
                Some(_) if component.application.is_some() && !written => {}
                Some((other, first, _)) => {
                    let message = format!("`{}` and `{other}` both have the id `{id}`", name.value);
                    let hint = match written {
                        true => "write another `id`",
                        false => {
                            "every character but letters and digits becomes `_` in an id; rename one, or write `id`"
                        }
                    };
                    sink.error(at, message)
                        .related(*first, format!("`{other}`"))
                        .hint(hint);
                }
                None => {
                    taken.insert(id.clone(), (name.as_str(), at, written));
                }
            }
        }
        ids.push(id);
    }
    ids
}

fn id(app: &str, component: &Component, name: &Spanned<String>, sink: &mut Sink) -> Option<ComponentId> {
    let (at, id) = match (&component.id, &component.application) {
        (Some(id), _) => (id.at, id.as_str().parse()),
        (
            None,
            Some(Shared {
                name: Some(app),
                component: Some(component),
                ..
            }),
        ) => (
            component.at,
            ComponentId::of_application(app.as_str(), component.as_str()),
        ),
        (None, Some(_)) => return None,
        (None, None) => (name.at, ComponentId::of_application(app, name.as_str())),
    };
    match id {
        Ok(id) => Some(id),
        Err(why) => {
            sink.error(at, why.to_string());
            None
        }
    }
}

/// What a component is, from its type, properties and traits.
pub(super) fn kind(component: &Component, sink: &mut Sink) -> Option<PartKind> {
    let image = image(component, sink);
    let scaler = scaler(component, sink);
    let limits = limits(component, scaler.as_ref(), sink);
    let triggers = triggers::check(component, sink);
    if let Some(shared) = &component.application {
        return shared_kind(component, shared, sink);
    }
    let image = image?;
    if is_provider(component) {
        return Some(PartKind::Provider {
            image,
            scaler: scaler.unwrap_or_else(Scaler::one_anywhere),
        });
    }
    if let ImageRef::Builtin(name) = &image.value {
        sink.error(
            image.at,
            format!("`{name}` is a built-in provider, not a component"),
        )
        .hint("write `type: capability`");
        return None;
    }
    let has_scaler = component
        .traits
        .iter()
        .any(|each| matches!(each.kind, TraitKind::Scaler(_)));
    if !has_scaler {
        let at = component.name.as_ref().map_or(component.at, |name| name.at);
        sink.warning(
            at,
            format!(
                "component `{}` has no scaler and is not started",
                named(component)
            ),
        )
        .hint("add `- type: spreadscaler` with `properties: { instances: 1 }` to its traits");
    }
    Some(PartKind::Component {
        image,
        limits,
        scaler,
        triggers,
    })
}

fn image(component: &Component, sink: &mut Sink) -> Option<Spanned<ImageRef>> {
    let image = component.image.as_ref()?;
    match image.as_str().parse::<ImageRef>() {
        Ok(parsed) => Some(Spanned::new(parsed, image.at)),
        Err(why) => {
            sink.error(image.at, why.to_string());
            None
        }
    }
}

fn shared_kind(component: &Component, shared: &Shared, sink: &mut Sink) -> Option<PartKind> {
    let name = shared.name.as_ref()?;
    let mut refuse = |at: Position, what: &str| {
        sink.error(at, format!("Shared component '{}' cannot {what}", name.value))
            .hint("only links can be added here; the rest belongs to the application that shares it");
    };
    if let Some(config) = component.config.first() {
        refuse(config.at, "specify additional 'config'");
    }
    if let Some(secret) = component.secrets.first() {
        refuse(secret.at, "specify additional 'secrets'");
    }
    for each in &component.traits {
        match each.kind {
            TraitKind::Scaler(_) => refuse(each.at, "include a scaler trait"),
            TraitKind::Runtime(_) => refuse(each.at, "include a runtime trait"),
            TraitKind::Cron(_) => refuse(each.at, "include a cron trait"),
            TraitKind::Link(_) | TraitKind::Unknown => {}
        }
    }
    Some(PartKind::Shared {
        application: name.value.clone(),
        component: shared.component.as_ref()?.value.clone(),
        provider: is_provider(component),
    })
}

fn scaler(component: &Component, sink: &mut Sink) -> Option<Scaler> {
    let mut found: Option<(Position, &document::Scaler)> = None;
    for each in &component.traits {
        let TraitKind::Scaler(scaler) = &each.kind else {
            continue;
        };
        match found {
            None => found = Some((each.at, scaler)),
            Some((first, _)) => {
                sink.error(
                    each.at,
                    format!("component `{}` has more than one scaler", named(component)),
                )
                .related(first, "the first")
                .hint("one scaler can have several entries in `spread`");
            }
        }
    }
    let (at, scaler) = found?;
    let (instances, auto) = match &scaler.auto {
        Some(_) if is_provider(component) => {
            let hint = "a `spreadscaler` says on how many hosts it runs";
            sink.error(at, "an autoscaler applies to components only, this is a provider")
                .hint(hint);
            return None;
        }
        Some(auto) => {
            let (min, auto) = autoscale(auto, sink)?;
            // Its place stays where its code goes.
            (min.max(1), Some(auto))
        }
        None => {
            let instances = scaler.instances.as_ref()?;
            if instances.value == 0 {
                sink.warning(
                    instances.at,
                    format!("`{}` has 0 instances and is not started", named(component)),
                );
            }
            (saturated(instances.value), None)
        }
    };
    let mut names: HashMap<&str, Position> = HashMap::new();
    let mut spreads = Vec::with_capacity(scaler.spread.len());
    for spread in &scaler.spread {
        let Some(name) = &spread.name else { continue };
        if let Some(first) = names.insert(name.as_str(), name.at) {
            sink.error(name.at, format!("two spreads are named `{}`", name.value))
                .related(first, "the first");
        }
        let weight = spread
            .weight
            .as_ref()
            .map_or(u64::from(Spread::DEFAULT_WEIGHT), |weight| weight.value);
        spreads.push(Spread {
            name: name.value.clone(),
            requirements: map(&spread.requirements),
            weight: saturated(weight),
        });
    }
    if let Some(weight) = scaler.spread.first().and_then(|spread| spread.weight.as_ref())
        && spreads.iter().all(|spread| spread.weight == 0)
    {
        sink.error(weight.at, "no spread has a weight above 0, so nothing would run");
    }
    if spreads.is_empty() {
        spreads.push(Spread::anywhere());
    }
    let kind = if scaler.daemon {
        ScalerKind::Daemon
    } else {
        ScalerKind::Spread
    };
    Some(Scaler {
        kind,
        instances,
        auto,
        spread: spreads,
    })
}

/// The fewest instances, and how there are more.
fn autoscale(auto: &document::Autoscaler, sink: &mut Sink) -> Option<(u32, Autoscale)> {
    let min = auto.min.as_ref().map_or(1, |min| saturated(min.value));
    let max = auto.max.as_ref()?;
    if u64::from(min) > max.value {
        sink.error(
            max.at,
            format!("`max` is {}, and `min` is {min}, which is more", max.value),
        );
    }
    let time = |text: &Option<Text>, usual| {
        text.as_ref()
            .and_then(|text| parse_duration(text.as_str()).ok())
            .unwrap_or(usual)
    };
    let utilization = auto.utilization.as_ref().map(|percent| percent.value);
    let scale = Autoscale {
        max: saturated(max.value),
        utilization: utilization
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(Autoscale::DEFAULT_UTILIZATION),
        queue_time: time(&auto.queue_time, Autoscale::DEFAULT_QUEUE_TIME),
        cooldown: time(&auto.cooldown, Autoscale::DEFAULT_COOLDOWN),
    };
    Some((min, scale))
}

/// Whether the fewest instances that a component shall have are none.
fn may_have_none(component: &Component) -> bool {
    component.traits.iter().any(|each| match &each.kind {
        TraitKind::Scaler(document::Scaler { auto: Some(auto), .. }) => {
            auto.min.as_ref().is_some_and(|min| min.value == 0)
        }
        _ => false,
    })
}

/// The form check keeps numbers within 32 bits; one it has refused may still come by here.
fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn limits(component: &Component, scaler: Option<&Scaler>, sink: &mut Sink) -> Limits {
    let mut limits = Limits::default();
    if let Some(scaler) = scaler.filter(|scaler| scaler.instances > 0) {
        // Whoever runs it on one host, without a controller, lets it have all that it may have.
        limits.concurrency = scaler.auto.map_or(scaler.instances, |auto| auto.max);
    }
    if may_have_none(component) {
        limits.idle = Some(Autoscale::DEFAULT_IDLE);
    }
    let mut first = None;
    for each in &component.traits {
        let TraitKind::Runtime(runtime) = &each.kind else {
            continue;
        };
        if let Some(first) = first {
            sink.error(
                each.at,
                format!("component `{}` has more than one runtime trait", named(component)),
            )
            .related(first, "the first");
            continue;
        }
        first = Some(each.at);
        if is_provider(component) {
            sink.error(
                each.at,
                "a runtime trait applies to components only, this is a provider",
            );
            continue;
        }
        runtime_limits(runtime, &mut limits, sink);
    }
    limits
}

fn runtime_limits(runtime: &document::Runtime, limits: &mut Limits, sink: &mut Sink) {
    // Values of the wrong form have been refused by the form check.
    if let Some(memory) = &runtime.memory
        && let Ok(bytes) = parse_bytes(memory.as_str())
    {
        if bytes < MIN_MEMORY {
            sink.error(
                memory.at,
                "`memory` is less than 64KiB, which is the least a component can have",
            );
        }
        limits.memory = bytes;
    }
    if let Some(deadline) = &runtime.deadline
        && let Ok(time) = parse_duration(deadline.as_str())
    {
        if time.is_zero() {
            sink.error(deadline.at, "`deadline` must be more than 0");
        }
        limits.deadline = time;
    }
    if runtime
        .instance
        .as_ref()
        .is_some_and(|instance| instance.value == "reuse")
    {
        limits.instance = InstanceMode::Reuse;
    }
    if let Some(max_reuse) = &runtime.max_reuse {
        limits.max_reuse = saturated(max_reuse.value);
        if limits.instance == InstanceMode::Fresh {
            sink.warning(max_reuse.at, "`maxReuse` has no effect without `instance: reuse`");
        }
    }
    if let Some(concurrency) = &runtime.concurrency {
        limits.concurrency = saturated(concurrency.value);
    }
    if let Some(queue) = &runtime.queue {
        limits.queue = saturated(queue.value);
    }
    if let Some(idle) = &runtime.idle
        && let Ok(time) = parse_duration(idle.as_str())
    {
        if time.is_zero() {
            sink.error(idle.at, "`idle` must be more than 0");
        }
        limits.idle = Some(time);
    }
}
