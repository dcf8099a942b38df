//! Host data, checked: what a provider process knows of itself and its host.

use std::time::Duration;

use wasmcloud_core::{ComponentId, HostId, InvalidName, LatticeName};
use wasmcloud_lattice::{Auth, NatsOptions, OptionsError};
use wasmcloud_wire::provider::{HostData, InterfaceLinkDefinition};

use crate::link::{Config, InvalidKeys, Keys, Secrets};

/// Where NATS is if host data does not say (wire reference §18).
const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// How long a component may take to answer if host data does not say; that of the v1 SDK (wire reference §4.2).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time that host data can give components to answer.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Settings {
    pub(crate) host: HostId,
    pub(crate) lattice: LatticeName,
    pub(crate) provider: ComponentId,
    pub(crate) instance: String,
    pub(crate) nats: NatsOptions,
    pub(crate) keys: Option<Keys>,
    pub(crate) links: Vec<InterfaceLinkDefinition>,
    pub(crate) config: Config,
    pub(crate) secrets: Secrets,
    /// How long a component may take to answer.
    pub(crate) timeout: Duration,
}

/// Host data that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum InvalidHostData {
    /// A name that cannot be.
    #[error("field `{field}` of the host data")]
    Name {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        #[source]
        source: InvalidName,
    },
    /// The address or the login cannot be.
    #[error("read from the host data how to connect to NATS")]
    Nats(#[from] OptionsError),
    /// A JWT without a key to prove that it is ours.
    #[error("the host data has `lattice_rpc_user_jwt` and no `lattice_rpc_user_seed`")]
    Seed,
    /// The keys for secrets are none.
    #[error("host data: {0}")]
    Keys(String),
}

impl From<InvalidKeys> for InvalidHostData {
    fn from(error: InvalidKeys) -> Self {
        Self::Keys(error.to_string())
    }
}

impl Settings {
    pub(crate) fn read(data: HostData, start_time: Duration) -> Result<Self, InvalidHostData> {
        let name = |field| move |source| InvalidHostData::Name { field, source };
        let provider: ComponentId = data.provider_key.parse().map_err(name("provider_key"))?;
        Ok(Self {
            host: data.host_id.parse().map_err(name("host_id"))?,
            lattice: data
                .lattice_rpc_prefix
                .parse()
                .map_err(name("lattice_rpc_prefix"))?,
            nats: nats(&data, &provider, start_time)?,
            keys: Keys::read(&data)?,
            provider,
            instance: data.instance_id,
            links: data.link_definitions,
            config: data.config,
            secrets: data.secrets,
            timeout: data
                .default_rpc_timeout_ms
                .map_or(DEFAULT_TIMEOUT, Duration::from_millis)
                .min(MAX_TIMEOUT),
        })
    }
}

fn nats(
    data: &HostData,
    provider: &ComponentId,
    start_time: Duration,
) -> Result<NatsOptions, InvalidHostData> {
    let mut options = NatsOptions::new(match data.lattice_rpc_url.trim() {
        "" => DEFAULT_URL,
        url => url,
    })?;
    let (jwt, seed) = (
        data.lattice_rpc_user_jwt.reveal(),
        data.lattice_rpc_user_seed.reveal(),
    );
    // A login in the address stays where there is neither.
    match (jwt.is_empty(), seed.is_empty()) {
        (true, true) => {}
        (true, false) => options.auth = Auth::nkey(seed.to_owned())?,
        (false, false) => options.auth = Auth::jwt(jwt.to_owned(), seed.to_owned())?,
        (false, true) => return Err(InvalidHostData::Seed),
    }
    options.name = provider.to_string();
    options.connect_deadline = start_time;
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> HostData {
        HostData {
            host_id: "N1".to_owned(),
            lattice_rpc_prefix: "default".to_owned(),
            provider_key: "kv".to_owned(),
            ..HostData::default()
        }
    }

    fn read(data: HostData) -> Result<Settings, InvalidHostData> {
        Settings::read(data, Duration::from_secs(1))
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let settings = read(data()).unwrap();
        assert_eq!(settings.nats.auth, Auth::Anonymous);
        assert_eq!(settings.nats.name, "kv");
        assert_eq!(settings.timeout, DEFAULT_TIMEOUT);
        assert!(settings.keys.is_none());
        let settings = read(HostData {
            default_rpc_timeout_ms: Some(u64::MAX),
            ..data()
        });
        assert_eq!(settings.unwrap().timeout, MAX_TIMEOUT);
    }

    #[test]
    fn logins_are_of_four_kinds() {
        let seed = nkeys::KeyPair::new_user().seed().unwrap();
        let auth = |url: &str, jwt: &str, seed: &str| {
            read(HostData {
                lattice_rpc_url: url.to_owned(),
                lattice_rpc_user_jwt: jwt.to_owned().into(),
                lattice_rpc_user_seed: seed.to_owned().into(),
                ..data()
            })
            .map(|settings| settings.nats.auth)
        };
        assert!(matches!(auth("nats://h:1", "", ""), Ok(Auth::Anonymous)));
        assert!(matches!(
            auth("nats://u:p@h:1", "", ""),
            Ok(Auth::UserPassword { .. })
        ));
        assert!(matches!(auth("h:1", "", &seed), Ok(Auth::Nkey { .. })));
        assert!(matches!(auth("h:1", "ey", &seed), Ok(Auth::Jwt { .. })));
        assert!(matches!(auth("h:1", "ey", ""), Err(InvalidHostData::Seed)));
        assert!(matches!(
            auth("h:1", "ey", "s3cret"),
            Err(InvalidHostData::Nats(_))
        ));
    }

    #[test]
    fn names_that_cannot_be_are_named() {
        let field = |change: fn(&mut HostData)| {
            let mut data = data();
            change(&mut data);
            read(data).err().unwrap().to_string()
        };
        assert!(field(|data| data.host_id = String::new()).contains("host_id"));
        assert!(field(|data| data.provider_key = "a.b".to_owned()).contains("provider_key"));
        assert!(field(|data| data.lattice_rpc_prefix = ">".to_owned()).contains("lattice_rpc_prefix"));
        let keys = |data: &mut HostData| {
            data.host_xkey_public_key = "XA".to_owned();
            data.provider_xkey_private_key = "s3cret".to_owned().into();
        };
        let error = field(keys);
        assert!(
            error.contains("provider_xkey_private_key") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
