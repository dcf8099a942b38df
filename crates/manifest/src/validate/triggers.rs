//! Functions that are called by the clock: schedules, functions, and who may have them.

use std::collections::HashMap;

use wasmcloud_core::{InterfaceName, parse_duration};

use super::interfaces::{Odd, odd};
use super::{is_provider, named};
use crate::desired::{CronTrigger, ExportedFunction, Missed, Overlap};
use crate::diagnostic::Sink;
use crate::document::{Component, Cron, Text, TraitKind};
use crate::schedule::Schedule;
use crate::source::Position;

/// How a function is written.
const FUNCTION: &str =
    "`namespace:package/interface.function`, or `namespace:package/interface@version.function`";

/// The triggers of a component, as far as they make sense.
pub(super) fn check(component: &Component, sink: &mut Sink) -> Vec<CronTrigger> {
    let mut triggers = Vec::new();
    let mut written: HashMap<(String, String), Position> = HashMap::new();
    for each in &component.traits {
        let TraitKind::Cron(cron) = &each.kind else {
            continue;
        };
        may_have(component, each.at, sink);
        let Some(trigger) = trigger(cron, each.at, sink) else {
            continue;
        };
        let key = (trigger.schedule.to_string(), trigger.function.to_string());
        if let Some(first) = written.get(&key) {
            sink.error(
                each.at,
                format!(
                    "`{}` is called at `{}` already",
                    trigger.function, trigger.schedule
                ),
            )
            .related(*first, "by this trait");
            continue;
        }
        written.insert(key, each.at);
        triggers.push(trigger);
    }
    triggers
}

/// What is never started cannot be called. That a shared component may not have one is told with its other traits.
fn may_have(component: &Component, at: Position, sink: &mut Sink) {
    if component.application.is_some() {
        return;
    }
    if is_provider(component) {
        sink.error(at, "a cron trait applies to components only, this is a provider");
        return;
    }
    let scaler = |kind: &TraitKind| matches!(kind, TraitKind::Scaler(_));
    if !component.traits.iter().any(|each| scaler(&each.kind)) {
        let message = format!(
            "component `{}` has no scaler, so there is nothing to call by the clock",
            named(component)
        );
        sink.error(at, message)
            .hint("add `- type: spreadscaler` with `properties: { instances: 1 }` to its traits");
    }
}

/// All of it is looked at, whatever of it is wrong.
fn trigger(cron: &Cron, at: Position, sink: &mut Sink) -> Option<CronTrigger> {
    let schedule = cron.schedule.as_ref().and_then(|text| schedule(text, sink));
    let schedule = zone(schedule, cron.timezone.as_ref(), sink);
    let function = cron.function.as_ref().and_then(|text| function(text, sink));
    let mut deadline = CronTrigger::DEFAULT_DEADLINE;
    // Values of the wrong form have been refused by the form check.
    if let Some(written) = &cron.deadline
        && let Ok(time) = parse_duration(written.as_str())
    {
        if time.is_zero() {
            sink.error(written.at, "`deadline` must be more than 0");
        } else if time > CronTrigger::MAX_DEADLINE {
            sink.error(written.at, "`deadline` of a call by the clock must be at most 1h");
        }
        deadline = time;
    }
    let is = |written: &Option<Text>, word: &str| written.as_ref().is_some_and(|text| text.as_str() == word);
    Some(CronTrigger {
        schedule: schedule?,
        function: function?,
        missed: if is(&cron.missed, "once") {
            Missed::Once
        } else {
            Missed::Skip
        },
        deadline,
        overlap: if is(&cron.overlap, "allow") {
            Overlap::Allow
        } else {
            Overlap::Skip
        },
        at,
    })
}

fn schedule(text: &Text, sink: &mut Sink) -> Option<Schedule> {
    match Schedule::parse(text.as_str()) {
        Ok(schedule) => Some(schedule),
        Err(why) => {
            sink.error(text.at, why.to_string()).hint_maybe(why.hint());
            None
        }
    }
}

fn zone(schedule: Option<Schedule>, text: Option<&Text>, sink: &mut Sink) -> Option<Schedule> {
    let Some(text) = text else { return schedule };
    // A zone is wrong also where the schedule is.
    let schedule_or_any = schedule.clone().or_else(|| Schedule::parse("* * * * *").ok())?;
    match schedule_or_any.in_zone(text.as_str()) {
        Ok(zoned) => schedule.map(|_| zoned),
        Err(why) => {
            let report = sink.error(text.at, why.to_string());
            if why.meant.is_none() {
                report.hint("time zones have IANA names, such as `Europe/Berlin` or `UTC`");
            }
            None
        }
    }
}

fn function(text: &Text, sink: &mut Sink) -> Option<ExportedFunction> {
    // A version has dots of its own, and a function has none.
    let parts = text.as_str().rsplit_once('.');
    let parsed = parts.and_then(|(interface, name)| Some((interface.parse::<InterfaceName>().ok()?, name)));
    let Some((interface, name)) = parsed.filter(|(_, name)| is_function(name)) else {
        let written = text.as_str();
        let report = sink.error(text.at, format!("`{written}` is not a function of an interface"));
        let hash = written.replacen('#', ".", 1);
        match written.parse::<InterfaceName>() {
            Ok(_) => report.hint(format!("an interface alone; add the function: `{written}.run`")),
            Err(_) if hash != written => report.hint(format!("write `{hash}`")),
            Err(_) => report.hint(format!("write {FUNCTION}")),
        };
        return None;
    };
    odd_interface(&interface, text.at, sink);
    Some(ExportedFunction {
        interface,
        name: name.to_owned(),
    })
}

/// Names of functions are words of letters and digits with `-` between them (component model, "kebab-name"). Those of
/// resources (`[method]…`) need a handle, which nobody has here.
fn is_function(name: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.split('-').all(word)
}

/// Interfaces nobody knows are the rule here; one that looks like a known one and is not, is told.
fn odd_interface(interface: &InterfaceName, at: Position, sink: &mut Sink) {
    let InterfaceName {
        namespace,
        package,
        interface: name,
        ..
    } = interface;
    let meant = match odd(namespace, package, name) {
        Some(Odd::Package(Some(meant))) => format!("{namespace}:{meant}"),
        Some(Odd::Interface(Some(meant))) => format!("{namespace}:{package}/{meant}"),
        Some(Odd::Package(None) | Odd::Interface(None)) | None => return,
    };
    sink.warning(
        at,
        format!(
            "`{}` is not known, did you mean `{meant}`?",
            interface.unversioned()
        ),
    );
}
