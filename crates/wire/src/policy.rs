//! The policy service, which may be asked before something starts or is called (wire reference §2.7).
//!
//! No answer, or none that can be read, means no. An answer holds for its [`PolicyAction::cache_key`] until a
//! [`PolicyReply`] with the same request id arrives on the topic for changes.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::json::Message;
use crate::limit::{self, Labels, MAX_LABELS, MAX_REQUEST};

/// The version of these messages.
pub const VERSION: &str = "v1";

/// The kind of a question before a call.
const PERFORM_INVOCATION: &str = "performInvocation";

/// May this be done?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRequest {
    /// Different for each request; a UUID.
    pub request_id: String,
    /// What would be done.
    pub action: PolicyAction,
    /// The version of the message, [`VERSION`].
    pub version: String,
    /// Who would do it.
    pub host: PolicyHost,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// A component would start or change.
    StartComponent(ComponentPolicy),
    /// A provider would start.
    StartProvider(ProviderPolicy),
    /// A component would be called.
    PerformInvocation(InvocationPolicy),
    /// Something that is not known here, with its kind.
    Unknown(String, Value),
}

/// A component that would start or be called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentPolicy {
    /// Its id in the lattice.
    pub component_id: String,
    /// Where it comes from.
    pub image_ref: String,
    /// How many invocations could run at once; 0 where it would be called.
    #[serde(default)]
    pub max_instances: u32,
    /// What the asker wants to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Who made it, where it is signed.
    #[serde(default)]
    pub claims: Option<PolicyClaims>,
}

/// A provider that would start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderPolicy {
    /// Its id in the lattice.
    pub provider_id: String,
    /// Where it comes from.
    pub image_ref: String,
    /// What the asker wants to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Who made it, where it is signed.
    #[serde(default)]
    pub claims: Option<PolicyClaims>,
}

/// A call that would be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvocationPolicy {
    /// The WIT interface, with its version.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The component that would be called.
    pub target: ComponentPolicy,
}

/// Who made a component or provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyClaims {
    /// The public key of the component or provider.
    pub public_key: String,
    /// The public key of the account that signed.
    pub issuer: String,
    /// When, in seconds since 1970, as text.
    #[serde(default)]
    pub issued_at: String,
    /// Until when it is valid, in seconds since 1970.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// Whether that time is over.
    #[serde(default)]
    pub expired: bool,
}

/// A host that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyHost {
    /// Its public key.
    pub public_key: String,
    /// The lattice it belongs to.
    #[serde(default)]
    pub lattice: String,
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
}

/// What the policy service answers, or tells later on the topic for changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyReply {
    /// The id of the request.
    pub request_id: String,
    /// Whether it may be done.
    pub permitted: bool,
    /// Why, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl PolicyAction {
    /// What an answer holds for: the same key means the same question.
    ///
    /// The parts are those of v1; the kind is one of them, so that a component and a provider never share an answer.
    /// Who signed it is another: what is behind a reference may change, and an answer about what one account made must
    /// not hold for what another did.
    pub fn cache_key(&self) -> String {
        let kind = self.kind();
        match self {
            Self::StartComponent(it) => {
                format!(
                    "{kind}_{}_{}{}",
                    it.component_id,
                    it.image_ref,
                    signed(&it.claims)
                )
            }
            Self::StartProvider(it) => {
                format!("{kind}_{}_{}{}", it.provider_id, it.image_ref, signed(&it.claims))
            }
            Self::PerformInvocation(it) => invocation_key(&it.target, &it.interface, &it.function),
            Self::Unknown(_, request) => format!("{kind}_{request}"),
        }
    }

    fn kind(&self) -> &str {
        match self {
            Self::StartComponent(_) => "startComponent",
            Self::StartProvider(_) => "startProvider",
            Self::PerformInvocation(_) => PERFORM_INVOCATION,
            Self::Unknown(kind, _) => kind,
        }
    }
}

/// The [`PolicyAction::cache_key`] of a call, for who has no action at hand.
pub fn invocation_key(target: &ComponentPolicy, interface: &str, function: &str) -> String {
    let (id, image, signed) = (&target.component_id, &target.image_ref, signed(&target.claims));
    format!("{PERFORM_INVOCATION}_{id}_{image}_{interface}_{function}{signed}")
}

/// The part of a key that names who signed, and nothing for what is not signed.
fn signed(claims: &Option<PolicyClaims>) -> String {
    match claims {
        Some(claims) => format!("_{}_{}", claims.issuer, claims.public_key),
        None => String::new(),
    }
}

impl Message for PolicyRequest {
    const WHAT: &'static str = "policy request";
    const MAX: usize = MAX_REQUEST;
}

impl Message for PolicyReply {
    const WHAT: &'static str = "policy reply";
    const MAX: usize = MAX_REQUEST;
}

/// The request as it travels: the kind stands beside what it is the kind of.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<K, R, H> {
    request_id: K,
    kind: K,
    version: K,
    request: R,
    host: H,
}

impl Serialize for PolicyRequest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Body<'a> {
            Component(&'a ComponentPolicy),
            Provider(&'a ProviderPolicy),
            Invocation(&'a InvocationPolicy),
            Unknown(&'a Value),
        }
        Envelope {
            request_id: self.request_id.as_str(),
            kind: self.action.kind(),
            version: self.version.as_str(),
            request: match &self.action {
                PolicyAction::StartComponent(it) => Body::Component(it),
                PolicyAction::StartProvider(it) => Body::Provider(it),
                PolicyAction::PerformInvocation(it) => Body::Invocation(it),
                PolicyAction::Unknown(_, it) => Body::Unknown(it),
            },
            host: &self.host,
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for PolicyRequest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Envelope::<String, Value, PolicyHost>::deserialize(from)?;
        let body = raw.request;
        let action = match raw.kind.as_str() {
            "startComponent" => serde_json::from_value(body).map(PolicyAction::StartComponent),
            "startProvider" => serde_json::from_value(body).map(PolicyAction::StartProvider),
            PERFORM_INVOCATION => serde_json::from_value(body).map(PolicyAction::PerformInvocation),
            _ => Ok(PolicyAction::Unknown(raw.kind, body)),
        };
        Ok(Self {
            request_id: raw.request_id,
            action: action.map_err(D::Error::custom)?,
            version: raw.version,
            host: raw.host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Wire reference §15.
    const REQUEST: &str = r#"{"requestId":"uuid","kind":"startComponent","version":"v1","request":{"componentId":"hello","imageRef":"a/b:1","maxInstances":5,"annotations":{},"claims":null},"host":{"publicKey":"N1","lattice":"default","labels":{}}}"#;

    #[test]
    fn a_request_is_written_as_v1_writes_it() {
        let request = PolicyRequest::decode(REQUEST.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(request.encode()).unwrap(), REQUEST);
        assert_eq!(request.action.cache_key(), "startComponent_hello_a/b:1");
    }

    #[test]
    fn an_answer_holds_for_what_one_account_signed() {
        let claims = r#"{"publicKey":"M1","issuer":"A1","issuedAt":"7","expiresAt":null,"expired":false}"#;
        let text = REQUEST.replace("null", claims);
        let request = PolicyRequest::decode(text.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(request.encode()).unwrap(), text);
        assert_eq!(request.action.cache_key(), "startComponent_hello_a/b:1_A1_M1");
        let PolicyAction::StartComponent(target) = request.action else {
            panic!("another action")
        };
        let key = invocation_key(&target, "a:b/c", "d");
        assert_eq!(key, "performInvocation_hello_a/b:1_a:b/c_d_A1_M1");
    }

    #[test]
    fn what_is_not_known_is_told_as_such() {
        let text = REQUEST.replace("startComponent", "growWings");
        let request = PolicyRequest::decode(text.as_bytes()).unwrap();
        assert!(matches!(&request.action, PolicyAction::Unknown(kind, _) if kind == "growWings"));
        assert_eq!(String::from_utf8(request.encode()).unwrap(), text);
        assert!(PolicyRequest::decode(REQUEST.replace("componentId", "x").as_bytes()).is_err());
    }
}
