//! What is known about who made components and providers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limit::{self, Labels, MAX_ITEMS};
use crate::state::Claims;

/// Claims as `claims.get` tells them: a flat map of texts with both the long and the short names of v1.
pub type ClaimsEntry = Labels;

/// All claims known in a lattice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimsList(#[serde(deserialize_with = "limit::list::<_, _, MAX_ITEMS>")] pub Vec<ClaimsEntry>);

impl From<&Claims> for ClaimsEntry {
    fn from(claims: &Claims) -> Self {
        let common = claims.common();
        let mut entry = BTreeMap::from([
            ("issuer", common.issuer.clone()),
            ("iss", common.issuer.clone()),
            ("name", common.name.clone()),
            ("revision", common.revision.clone()),
            ("rev", common.revision.clone()),
            ("subject", common.subject.clone()),
            ("sub", common.subject.clone()),
            ("version", common.version.clone()),
        ]);
        match claims {
            Claims::Component(claims) => {
                entry.insert("call_alias", claims.call_alias.clone().unwrap_or_default());
                entry.insert("tags", claims.tags.join(","));
            }
            Claims::Provider(claims) => {
                entry.insert("config_schema", claims.config_schema.clone().unwrap_or_default());
            }
        }
        entry
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }
}
