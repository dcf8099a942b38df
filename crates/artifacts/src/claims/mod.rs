//! Claims: what an issuer says about a component, provider, account or operator, signed with an nkey.
//!
//! On the wire they are a JSON web token in the form of v1's `wascap` (wire reference §11): header
//! `{"typ":"jwt","alg":"Ed25519"}`, base64url without padding, signed with the Ed25519 key of the issuer, whose public
//! key is in the token. So a signature proves that whoever holds the issuer's key said this; whether the issuer is one
//! to believe is for a policy to decide.
//!
//! `token` is the token itself, `metadata` what is claimed about each kind of subject, `component` how claims are part
//! of a component. A [`Token`] exists only with a good signature. Time is not looked at while parsing, because nothing
//! here asks a clock: see [`Claims::check_time`].

mod component;
mod error;
mod metadata;
mod time;
mod token;

pub(crate) use component::{check_hash, hash};
pub use component::{component_claims, sign_component};
pub use error::ClaimsError;
pub(crate) use error::quote;
pub use metadata::{AccountMetadata, ComponentMetadata, Metadata, OperatorMetadata, ProviderMetadata};
pub use time::UnixTime;
pub use token::{Claims, MAX_JWT_BYTES, Token, Validity};
