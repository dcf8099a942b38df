//! What an application manifest may contain: the tables of all its maps.
//!
//! This is v1's manifest (wire reference §8.1) and, marked "extension", what we add to it. Rules that span more
//! than one field are left to [`crate::validate`].

use crate::shape::{Field, OneOf, Shape, Table};

pub(crate) const API_VERSION: &str = "core.oam.dev/v1beta1";
pub(crate) const KIND: &str = "Application";
/// Annotation that makes an application's components available to other applications.
pub(crate) const SHARED_ANNOTATION: &str = "experimental.wasmcloud.dev/shared";
/// Annotation that names the version of an application.
pub(crate) const VERSION_ANNOTATION: &str = "version";
/// Annotation that describes an application.
pub(crate) const DESCRIPTION_ANNOTATION: &str = "description";
/// The type of the policy that says how a new revision takes over. Ours; v1 ignores policies that no secret names.
pub(crate) const ROLLOUT_POLICY: &str = "policy.rollout.wasmcloud.dev/v1alpha1";

/// The type of policies that say where secrets are.
pub(crate) const SECRET_POLICY: &str = "policy.secret.wasmcloud.dev/v1alpha1";

/// Instances travel as 32-bit numbers (v1 wire reference §2.4).
const MAX_COUNT: u64 = u32::MAX as u64;

const fn table(
    noun: &'static str,
    definition: &'static str,
    doc: &'static str,
    fields: &'static [Field],
) -> Table {
    Table {
        noun,
        definition,
        doc,
        fields,
        one_of: None,
    }
}

pub(crate) static APPLICATION: Table = table(
    "application",
    "Application",
    "An application: what should run in a lattice, and how its parts are linked.",
    &[
        Field::required(
            "apiVersion",
            Shape::Choice(&[API_VERSION], &[]),
            "The version of this format.",
        ),
        Field::required("kind", Shape::Choice(&[KIND], &[]), "The kind of this document."),
        Field::required(
            "metadata",
            Shape::Table(&METADATA),
            "The name of the application and notes about it.",
        ),
        Field::required("spec", Shape::Table(&SPEC), "What the application consists of."),
    ],
);

static METADATA: Table = table(
    "metadata",
    "Metadata",
    "The name of the application and notes about it.",
    &[
        Field::required(
            "name",
            Shape::Text,
            "The name of the application: letters, digits, `-` and `_`.",
        ),
        Field::optional(
            "annotations",
            Shape::TextMap("annotation"),
            "Notes about the application. `version` names its version, `description` describes it, and \
             `experimental.wasmcloud.dev/shared: \"true\"` lets other applications use its components.",
        ),
        Field::optional(
            "labels",
            Shape::TextMap("label"),
            "Labels of the application, for people and tools.",
        ),
    ],
);

static SPEC: Table = table(
    "spec",
    "Specification",
    "What the application consists of.",
    &[
        Field::required(
            "components",
            Shape::List(&Shape::Table(&COMPONENT)),
            "The components and capability providers of the application.",
        ),
        Field::optional(
            "policies",
            Shape::List(&Shape::Table(&POLICY)),
            "Where secrets come from, and how a new revision takes over.",
        ),
    ],
);

static POLICY: Table = table(
    "policy",
    "Policy",
    "A place where secrets come from, or how a new revision takes over.",
    &[
        Field::required(
            "name",
            Shape::Text,
            "The name by which secrets refer to this policy.",
        ),
        Field::required(
            "type",
            Shape::Text,
            "The type of the policy: `policy.secret.wasmcloud.dev/v1alpha1` or `policy.rollout.wasmcloud.dev/v1alpha1`.",
        ),
        Field::optional(
            "properties",
            Shape::TextMap("policy property"),
            "For secrets, `backend` names the backend, the rest is handed to it. For rollouts: `strategy`, `steps`, `pause`, `max-failures`, `probe`, `rollback`.",
        ),
    ],
);

static COMPONENT: Table = table(
    "component",
    "Component",
    "A WebAssembly component or a capability provider.",
    &[
        Field::required(
            "name",
            Shape::Text,
            "The name of the component within this application.",
        ),
        Field::required(
            "type",
            Shape::Choice(&["component", "capability"], &["actor"]),
            "`component` for a WebAssembly component, `capability` for a capability provider.",
        ),
        Field::required(
            "properties",
            Shape::Table(&PROPERTIES),
            "What runs, and with which configuration.",
        ),
        Field::optional(
            "traits",
            Shape::List(&Shape::Trait(TRAITS)),
            "How many run where, and what they link to.",
        ),
    ],
);

static PROPERTIES: Table = Table {
    noun: "properties",
    definition: "ComponentProperties",
    doc: "What runs, and with which configuration: either `image` or `application`.",
    fields: &[
        Field::optional(
            "image",
            Shape::Text,
            "Where it comes from: a registry reference, `file://PATH` (relative to this manifest), or \
             `wasmcloud+builtin://NAME` for a provider that is part of the host.",
        ),
        Field::optional(
            "application",
            Shape::Table(&SHARED),
            "A component of another application that is shared; in place of `image`.",
        ),
        Field::optional(
            "id",
            Shape::Text,
            "The id in the lattice; `APPLICATION-COMPONENT` where none is written.",
        ),
        Field::optional(
            "config",
            CONFIG,
            "Named configuration, later entries override earlier ones.",
        ),
        Field::optional("secrets", SECRETS, "Secrets it may read."),
    ],
    one_of: Some(OneOf {
        fields: ["image", "application"],
        both: "Component cannot have both 'image' and 'application' properties",
        neither: "Component must have either 'image' or 'application' property",
    }),
};

static SHARED: Table = table(
    "application reference",
    "SharedComponent",
    "A component of another application that is shared.",
    &[
        Field::required("name", Shape::Text, "The name of the application that shares it."),
        Field::required("component", Shape::Text, "The name of the component there."),
    ],
);

const CONFIG: Shape = Shape::List(&Shape::Table(&CONFIG_ITEM));
const SECRETS: Shape = Shape::List(&Shape::Table(&SECRET));

static CONFIG_ITEM: Table = table(
    "config",
    "Config",
    "A named configuration: defined here where it has properties, else one that exists in the lattice.",
    &[
        Field::required("name", Shape::Text, "The name of the configuration."),
        Field::optional(
            "properties",
            Shape::TextMap("config property"),
            "Its values. Without them, a configuration of that name must exist in the lattice.",
        ),
    ],
);

static SECRET: Table = table(
    "secret",
    "Secret",
    "A secret, by reference: its value is never part of a manifest.",
    &[
        Field::required("name", Shape::Text, "The name under which it is read."),
        Field::required(
            "properties",
            Shape::Table(&SECRET_PROPERTIES),
            "Where its value is.",
        ),
    ],
);

static SECRET_PROPERTIES: Table = table(
    "secret properties",
    "SecretProperties",
    "Where the value of a secret is.",
    &[
        Field::required("policy", Shape::Text, "The policy that names the backend."),
        Field::required("key", Shape::Text, "The key in that backend."),
        Field::optional(
            "field",
            Shape::Text,
            "The field of the value, where the backend has fields.",
        ),
        Field::optional(
            "version",
            Shape::Text,
            "The version of the value; the newest where none is written.",
        ),
    ],
);

pub(crate) const TRAITS: &[(&str, &Table)] = &[
    ("spreadscaler", &SCALER),
    ("daemonscaler", &DAEMON_SCALER),
    ("autoscaler", &AUTOSCALER),
    ("link", &LINK),
    ("runtime", &RUNTIME),
    ("cron", &CRON),
];

static SCALER: Table = table(
    "spreadscaler properties",
    "SpreadScaler",
    "Runs a number of instances, spread over hosts by weight.",
    &[
        Field::required(
            "instances",
            Shape::Count(0, MAX_COUNT),
            "How many: for a component, how many invocations run at once; for a provider, on how many hosts.",
        )
        .or(&["replicas"]),
        Field::optional(
            "spread",
            SPREAD_LIST,
            "On which hosts; any host where none is written.",
        ),
    ],
);

static DAEMON_SCALER: Table = table(
    "daemonscaler properties",
    "DaemonScaler",
    "Runs instances on every eligible host.",
    &[
        Field::required("instances", Shape::Count(0, MAX_COUNT), "How many on each host.").or(&["replicas"]),
        Field::optional(
            "spread",
            SPREAD_LIST,
            "On which hosts; any host where none is written.",
        ),
    ],
);

static AUTOSCALER: Table = table(
    "autoscaler properties",
    "Autoscaler",
    "Extension: runs as many instances of a component as its invocations need, spread over hosts by weight. Does not \
     apply to providers.",
    &[
        Field::required(
            "max",
            Shape::Count(1, MAX_COUNT),
            "Most instances: how many invocations run at once.",
        ),
        Field::optional(
            "min",
            Shape::Count(0, MAX_COUNT),
            "Fewest instances, default 1. With 0, its code leaves the memory of its host when nobody calls it, and the \
             next invocation waits until it is back.",
        ),
        Field::optional(
            "utilization",
            Shape::Count(1, 100),
            "The percent of the instances that shall be in use; default 70.",
        ),
        Field::optional(
            "queueTime",
            Shape::Duration,
            "Where invocations wait longer than this for an instance, on average, there will be more; default 100ms.",
        ),
        Field::optional(
            "cooldown",
            Shape::Duration,
            "How long fewer instances have to be enough before there are fewer; default 60s.",
        ),
        Field::optional(
            "spread",
            SPREAD_LIST,
            "On which hosts; any host where none is written.",
        ),
    ],
);

const SPREAD_LIST: Shape = Shape::List(&Shape::Table(&SPREAD));

static SPREAD: Table = table(
    "spread",
    "Spread",
    "A share of the instances for hosts with certain labels.",
    &[
        Field::required(
            "name",
            Shape::Text,
            "The name of this spread, seen in status and annotations.",
        ),
        Field::optional(
            "requirements",
            Shape::TextMap("requirement"),
            "Labels with the values that a host must have.",
        ),
        Field::optional(
            "weight",
            Shape::Count(0, MAX_COUNT),
            "The weight of this share; 100 where none is written.",
        ),
    ],
);

static LINK: Table = table(
    "link properties",
    "Link",
    "Says who answers calls of some interfaces: from this component to a provider or component (imports), or from \
     this provider to a component (exports).",
    &[
        Field::required(
            "namespace",
            Shape::Text,
            "The namespace of the WIT package: `wasi` in `wasi:http`.",
        ),
        Field::required("package", Shape::Text, "The WIT package: `http` in `wasi:http`."),
        Field::required(
            "interfaces",
            Shape::List(&Shape::Text),
            "The interfaces of the package, such as `incoming-handler`.",
        ),
        Field::optional(
            "name",
            Shape::Text,
            "The name by which the source selects it; `default` where none is written.",
        ),
        Field::optional(
            "source",
            Shape::Table(&LINK_SOURCE),
            "What the source gets with this link.",
        ),
        Field::required(
            "target",
            Shape::TableOrText(&LINK_TARGET, "target: { name: … }"),
            "The component or provider that answers, and what it gets with this link.",
        ),
        Field::optional(
            "route",
            Shape::Choice(&["auto", "local", "lattice"], &[]),
            "Extension: how calls travel. `auto` (default): in this process where the target runs there, else over the \
             lattice; `local`: in this process or not at all; `lattice`: always over the lattice.",
        ),
        Field::deprecated(
            "source_config",
            CONFIG,
            "The older form of `source.config`.",
            "source: { config: … }",
        ),
        Field::deprecated(
            "target_config",
            CONFIG,
            "The older form of `target.config`.",
            "target: { config: … }",
        ),
    ],
);

static LINK_SOURCE: Table = table(
    "link source",
    "LinkSource",
    "What the source of a link gets with it.",
    &[
        Field::optional(
            "config",
            CONFIG,
            "Named configuration, later entries override earlier ones.",
        ),
        Field::optional("secrets", SECRETS, "Secrets for this link."),
    ],
);

static LINK_TARGET: Table = table(
    "link target",
    "LinkTarget",
    "Who answers, and what it gets with the link.",
    &[
        Field::required(
            "name",
            Shape::Text,
            "The name of a component of this application.",
        ),
        Field::optional(
            "config",
            CONFIG,
            "Named configuration, later entries override earlier ones.",
        ),
        Field::optional("secrets", SECRETS, "Secrets for this link."),
    ],
);

static RUNTIME: Table = table(
    "runtime properties",
    "Runtime",
    "Extension: what a component may use on each host. Does not apply to providers.",
    &[
        Field::optional(
            "memory",
            Shape::Bytes,
            "Linear memory of one instance, such as `64MiB`; default 256MiB.",
        ),
        Field::optional(
            "deadline",
            Shape::Duration,
            "Time for one invocation, waiting for a free slot included, such as `5s`; default 30s.",
        ),
        Field::optional(
            "instance",
            Shape::Choice(&["fresh", "reuse"], &[]),
            "`fresh` (default): a new instance for every invocation; `reuse`: instances are kept and called again.",
        ),
        Field::optional(
            "maxReuse",
            Shape::Count(1, MAX_COUNT),
            "With `instance: reuse`: how often an instance is called before it is replaced; default 100000.",
        ),
        Field::optional(
            "concurrency",
            Shape::Count(1, MAX_COUNT),
            "How many invocations run at once on one host; the scaler's `instances` where none is written.",
        ),
        Field::optional(
            "queue",
            Shape::Count(0, MAX_COUNT),
            "How many invocations may wait for a free slot on one host; default 1024.",
        ),
        Field::optional(
            "idle",
            Shape::Duration,
            "After how long without an invocation the component's code leaves the memory of a host, such as `10m`; the \
             next invocation waits until it is back. Never where none is written, or after 5m with an `autoscaler` whose \
             `min` is 0.",
        ),
    ],
);

static CRON: Table = table(
    "cron properties",
    "Cron",
    "Extension: calls a function of a component by the clock, once per tick in the whole lattice. Does not apply to \
     providers.",
    &[
        Field::required(
            "schedule",
            Shape::Text,
            "When: minute, hour, day of the month, month, day of the week, such as `*/5 * * * *`; with six fields the \
             first is the second.",
        ),
        Field::required(
            "function",
            Shape::Text,
            "What: a function without parameters that the component exports, such as `acme:jobs/nightly.run` or \
             `acme:jobs/nightly@1.0.0.run`.",
        ),
        Field::optional(
            "timezone",
            Shape::Text,
            "The time zone of the schedule by its IANA name, such as `Europe/Berlin`; default UTC.",
        ),
        Field::optional(
            "missed",
            Shape::Choice(&["skip", "once"], &[]),
            "What becomes of ticks at which no controller led or the component did not run: `skip` (default): nothing; \
             `once`: one call, as soon as possible, for all those of the last hour.",
        ),
        Field::optional(
            "deadline",
            Shape::Duration,
            "Time for one call, such as `5s`, at most 1h; default 30s.",
        ),
        Field::optional(
            "overlap",
            Shape::Choice(&["skip", "allow"], &[]),
            "What becomes of a tick while the call of an earlier one still runs: `skip` (default): nothing; `allow`: a \
             call beside the other.",
        ),
    ],
);
