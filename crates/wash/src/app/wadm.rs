//! What v1's wadm has kept of its applications, read from its bucket on JetStream. Nothing is written there, and wadm
//! need not run: where it does, it leads, and nothing can be taken over from it.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_core::{AppName, LatticeName};
use wasmcloud_lattice::{Bucket, State, find_state};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{WadmApplication, WadmNames, wadm_app_key, wadm_names_key};
use wasmcloud_wire::message::chain;

use super::import::{Planned, PlannedVersion};
use super::load::Text;
use super::reach::failed;
use super::show::manifest_text;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, INVALID};

/// The applications of a lattice.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) applications: Vec<Planned>,
    /// Those of which nothing can be taken over, with the reason.
    pub(super) unreadable: Vec<(String, String)>,
}

/// Reads all of them.
pub(super) async fn read(apps: &Apps, bucket: &str, domain: Option<String>) -> Result<Kept, Failure> {
    let lattice = apps.client().lattice();
    let bucket = Bucket::new(bucket).map_err(|error| Failure::new(INVALID, "bucket-name", error))?;
    let (state, names) = names(apps, lattice, bucket, domain)
        .await
        .map_err(|error| Failure::new(FAILURE, "wadm-store", error))?;
    let mut kept = Kept::default();
    for name in names {
        match application(&*state, lattice, &name).await {
            Ok(application) => kept.applications.push(application),
            Err(why) => kept.unreadable.push((name, one_line(&why))),
        }
    }
    if let Some(first) = kept.applications.first() {
        stands_back(apps, &first.app).await?;
    }
    Ok(kept)
}

async fn names(
    apps: &Apps,
    lattice: &LatticeName,
    bucket: Bucket,
    domain: Option<String>,
) -> anyhow::Result<(Box<dyn State>, Vec<String>)> {
    let none = |what: &str| {
        anyhow!(
            "{what}; hint: `--from-wadm=BUCKET` names another bucket, `--js-domain` the domain it is in, and `--lattice` \
             another lattice"
        )
    };
    let name = bucket.name().to_owned();
    let state = find_state(apps.client().connection(), bucket, domain.as_deref())
        .await
        .with_context(|| format!("open the bucket `{name}`"))?
        .ok_or_else(|| none(&format!("there is no bucket `{name}`")))?;
    let entry = state.get(&wadm_names_key(lattice)).await?.ok_or_else(|| {
        none(&format!(
            "the bucket `{name}` has no applications of lattice `{lattice}`"
        ))
    })?;
    let names = WadmNames::decode(&entry.value).with_context(|| format!("read the bucket `{name}`"))?;
    Ok((state, names.0))
}

/// Whether wadm is gone. As long as it answers, it would get what is meant for our controller, and say that all of it
/// is there already.
async fn stands_back(apps: &Apps, app: &AppName) -> Result<(), Failure> {
    // Which it does not know.
    match apps.history(app).await {
        Err(AppsError::Foreign { .. }) => {
            let error = anyhow!(
                "v1's wadm still leads lattice `{}`; hint: stop it, then one of the hosts leads; what runs goes on",
                apps.client().lattice()
            );
            Err(Failure::new(FAILURE, "not-supported", error))
        }
        Ok(_) | Err(AppsError::NotFound { .. }) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

async fn application(state: &dyn State, lattice: &LatticeName, name: &str) -> Result<Planned, String> {
    let app: AppName = name.parse().map_err(|error| chain(&error))?;
    let key = wadm_app_key(lattice, name);
    let entry = state.get(&key).await.map_err(|error| chain(&error))?;
    let entry = entry.ok_or_else(|| format!("the bucket has nothing under `{key}`"))?;
    let kept = WadmApplication::decode(&entry.value).map_err(|error| chain(&error))?;
    let versions = kept.manifests.iter().map(|(version, manifest)| PlannedVersion {
        version: Some(version.clone()),
        text: Text {
            file: format!("{name}, version {version}"),
            text: manifest_text(None, Some(manifest)),
            // v1 takes files by absolute paths only.
            base_dir: PathBuf::new(),
        },
    });
    Ok(Planned {
        app,
        versions: versions.collect(),
        deployed: kept.deployed_version,
    })
}
