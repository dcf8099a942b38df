//! The control interface: what hosts are asked, as [`Request`] values, and what they answer (wire reference §3.1).
//!
//! A request is a subject and a payload. [`Request::parse`] turns both into one value whose ids and names are
//! checked; when that fails, [`RequestError::reply`] is what to answer. The replies are a [`CtlResponse`] around the
//! types below it. Commands of a controller carry its [`Epoch`] in the header [`EPOCH`], which v1 does not know.
//!
//! | request | payload | response |
//! |---|---|---|
//! | `host.ping` | | [`Host`] |
//! | `host.get` | | [`HostInventory`] |
//! | `host.stop` | [`StopHost`] or nothing | |
//! | `label.put`, `label.del` | [`PutLabel`], [`DeleteLabel`] | |
//! | `component.auction` | [`ComponentAuction`] | [`ComponentAuctionAck`] |
//! | `component.scale`, `component.update` | [`ScaleComponent`], [`UpdateComponent`] | |
//! | `provider.auction` | [`ProviderAuction`] | [`ProviderAuctionAck`] |
//! | `provider.start`, `provider.stop` | [`StartProvider`], [`StopProvider`] | |
//! | `link.get` | | [`Links`] |
//! | `link.put`, `link.del` | [`Link`], [`DeleteLink`] | |
//! | `claims.get` | | [`ClaimsList`] |
//! | `config.get` | | [`Config`](crate::state::Config) |
//! | `config.put` | [`Config`](crate::state::Config) | |
//! | `config.del` | | |
//! | `registry.put` | [`Registries`] | |

mod claims;
mod component;
mod envelope;
mod epoch;
mod host;
mod limits;
mod link;
mod provider;
mod registry;
mod request;

pub use self::claims::{ClaimsEntry, ClaimsList};
pub use self::component::{
    ComponentAuction, ComponentAuctionAck, FULL_WEIGHT, Probe, REVISION, ScaleComponent, UpdateComponent,
};
pub use self::envelope::{CtlResponse, Nothing};
pub use self::epoch::{EPOCH, Epoch};
pub use self::host::{
    CandidateDescription, ComponentDescription, ComponentLoad, DeleteLabel, FEATURE_CANDIDATES,
    FEATURE_IN_PLACE, FEATURE_LINK_SUFFIX, FEATURE_LOAD, Host, HostInventory, LinkOwner, ProviderDescription,
    ProviderHealth, PutLabel, RefusedLink, StopHost, uptime_human,
};
pub use self::limits::{InvalidLimits, read_limits, write_limits};
pub use self::link::{DeleteLink, Links};
pub use self::provider::{ProviderAuction, ProviderAuctionAck, StartProvider, StopProvider};
pub use self::registry::{Registries, RegistryCredential};
pub use self::request::{Request, RequestError};
pub use crate::link::Link;
