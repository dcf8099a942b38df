//! Subjects of the manifest API: `wadm.api.{lattice}.model.{operation}[.{name}]` (wire reference §8.3), and where the
//! status of applications is told.

use wasmcloud_core::{AppName, LatticeName};

use crate::subject::{Subscription, UnsupportedSubject};

/// What is asked of the controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelOperation {
    /// A manifest is stored.
    Put,
    /// All applications with their status.
    List,
    /// The same as a bare list, as clients before wadm 0.12 ask for it.
    BareList,
    /// A manifest.
    Get(AppName),
    /// The versions of an application.
    Versions(AppName),
    /// A version, or all of an application, is removed.
    Delete(AppName),
    /// A version shall run.
    Deploy(AppName),
    /// No version shall run.
    Undeploy(AppName),
    /// How an application fares.
    Status(AppName),
    /// What was deployed when.
    History(AppName),
    /// The version that was deployed before, or a named one, shall run again.
    Rollback(AppName),
    /// The controller leaves an application as it is.
    Pause(AppName),
    /// The controller looks after it again.
    Resume(AppName),
    /// Why a part of an application is as it is.
    Why(AppName),
}

/// The manifest API of one lattice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ManifestApi {
    lattice: LatticeName,
    /// `wadm.api.{lattice}.model.`
    base: String,
}

impl ManifestApi {
    /// The API of a lattice.
    pub fn new(lattice: &LatticeName) -> Self {
        Self {
            lattice: lattice.clone(),
            base: format!("wadm.api.{lattice}.model."),
        }
    }

    /// The subject on which to ask for `operation`.
    pub fn subject(&self, operation: &ModelOperation) -> String {
        let (verb, name) = operation.parts();
        match name {
            Some(name) => format!("{}{verb}.{name}", self.base),
            None => format!("{}{verb}", self.base),
        }
    }

    /// What who leads subscribes to; the group is that of v1's wadm.
    pub fn subscription(&self) -> Subscription {
        Subscription {
            subject: format!("wadm.api.{}.>", self.lattice),
            queue_group: Some("wadm_server".to_owned()),
        }
    }

    /// Where the status of an application is told when it has changed.
    pub fn status_subject(&self, app: &AppName) -> String {
        format!("wadm.status.{}.{app}", self.lattice)
    }

    /// Where v1's wadm, and nobody else, sends commands to itself.
    pub fn rival_commands(&self) -> String {
        format!("wadm.cmd.{}", self.lattice)
    }

    /// What the subject of a message asks for.
    pub fn parse(&self, subject: &str) -> Result<ModelOperation, UnsupportedSubject> {
        let rest = subject
            .strip_prefix(self.base.as_str())
            .ok_or_else(|| UnsupportedSubject::foreign(subject))?;
        let (verb, name) = match rest.split_once('.') {
            Some((verb, name)) => (verb, Some(name)),
            None => (rest, None),
        };
        let Some(name) = name else {
            return match verb {
                "put" => Ok(ModelOperation::Put),
                "get" => Ok(ModelOperation::List),
                "list" => Ok(ModelOperation::BareList),
                _ => Err(UnsupportedSubject::unknown(subject)),
            };
        };
        let operation = match verb {
            "get" => ModelOperation::Get,
            "versions" => ModelOperation::Versions,
            "del" => ModelOperation::Delete,
            "deploy" => ModelOperation::Deploy,
            "undeploy" => ModelOperation::Undeploy,
            "status" => ModelOperation::Status,
            "history" => ModelOperation::History,
            "rollback" => ModelOperation::Rollback,
            "pause" => ModelOperation::Pause,
            "resume" => ModelOperation::Resume,
            "why" => ModelOperation::Why,
            _ => return Err(UnsupportedSubject::unknown(subject)),
        };
        name.parse()
            .map(operation)
            .map_err(UnsupportedSubject::name(subject))
    }
}

impl ModelOperation {
    /// The application it is about, where it is one.
    pub fn app(&self) -> Option<&AppName> {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, Option<&AppName>) {
        match self {
            Self::Put => ("put", None),
            Self::List => ("get", None),
            Self::BareList => ("list", None),
            Self::Get(name) => ("get", Some(name)),
            Self::Versions(name) => ("versions", Some(name)),
            Self::Delete(name) => ("del", Some(name)),
            Self::Deploy(name) => ("deploy", Some(name)),
            Self::Undeploy(name) => ("undeploy", Some(name)),
            Self::Status(name) => ("status", Some(name)),
            Self::History(name) => ("history", Some(name)),
            Self::Rollback(name) => ("rollback", Some(name)),
            Self::Pause(name) => ("pause", Some(name)),
            Self::Resume(name) => ("resume", Some(name)),
            Self::Why(name) => ("why", Some(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_go_both_ways() {
        let api = ManifestApi::new(&"default".parse().unwrap());
        let app: AppName = "shop".parse().unwrap();
        use ModelOperation::*;
        let of_app = [
            Get, Versions, Delete, Deploy, Undeploy, Status, History, Rollback, Pause, Resume, Why,
        ];
        let all = of_app.into_iter().map(|operation| operation(app.clone()));
        for operation in all.chain([Put, List, BareList]) {
            assert_eq!(api.parse(&api.subject(&operation)), Ok(operation));
        }
        assert_eq!(api.subject(&Deploy(app)), "wadm.api.default.model.deploy.shop");
        for (subject, text) in [
            ("wadm.api.other.model.put", "belongs to something else"),
            (
                "wadm.api.default.model.fly.shop",
                "names nothing that can be asked for or told",
            ),
            (
                "wadm.api.default.model.deploy",
                "names nothing that can be asked for or told",
            ),
            ("wadm.api.default.model.deploy.a.b", "names what cannot exist"),
        ] {
            let refused = api.parse(subject).unwrap_err().to_string();
            assert!(refused.contains(text), "{refused}");
        }
    }
}
