//! The token: three parts, of which the third is a signature of the other two.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{ClaimsError, quote};
use super::metadata::Metadata;
use super::time::UnixTime;
use crate::digest::Digest;

/// Longest token in bytes. What makes tokens long is the config schema of a provider.
pub const MAX_JWT_BYTES: usize = 1 << 20;

const TYPE: &str = "jwt";
const ALGORITHM: &str = "Ed25519";
/// The form of claims that v1 writes, the first whose hashes can be compared.
const REVISION: u32 = 3;
/// Hexadecimal digits of an id, which is 128 bits of a hash.
const ID_DIGITS: usize = 32;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims<M> {
    /// The public key of who says it.
    pub issuer: String,
    /// The public key of whom it is about. Keys of components and providers are names: nobody signs with them.
    pub subject: String,
    /// Names the token.
    pub id: String,
    /// From when to when it holds.
    pub validity: Validity,
    /// The form of the claims; 0 if they name none. From 3 on hashes bind them to content.
    pub revision: u32,
    /// What is claimed.
    pub metadata: M,
}

/// From when to when claims hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// When they were signed.
    pub issued_at: UnixTime,
    /// Until when they hold; `None` is for ever.
    pub expires: Option<UnixTime>,
    /// From when on they hold; `None` is always.
    pub not_before: Option<UnixTime>,
}

impl Validity {
    /// For ever.
    #[must_use]
    pub fn from(issued_at: SystemTime) -> Self {
        Self {
            issued_at: issued_at.into(),
            expires: None,
            not_before: None,
        }
    }
}

/// Claims with the token they were read from, whose signature is that of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<M> {
    jwt: String,
    claims: Claims<M>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    typ: String,
    alg: String,
}

/// The claims as they are written; the order is that of v1.
#[derive(Serialize, Deserialize)]
struct Wire<M> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<UnixTime>,
    jti: String,
    iat: UnixTime,
    iss: String,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<UnixTime>,
    wascap: M,
    #[serde(skip_serializing_if = "Option::is_none")]
    wascap_revision: Option<u32>,
}

impl<M: Metadata> Claims<M> {
    /// Whether the claims hold at this moment.
    pub fn check_time(&self, now: SystemTime) -> Result<(), ClaimsError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Some(at) = self.validity.expires
            && Duration::from_secs(at.0) < now
        {
            return Err(ClaimsError::Expired { at });
        }
        if let Some(at) = self.validity.not_before
            && now < Duration::from_secs(at.0)
        {
            return Err(ClaimsError::NotYet { at });
        }
        Ok(())
    }

    /// Whether the claims can be bound to content at all.
    pub(crate) fn check_revision(&self) -> Result<(), ClaimsError> {
        if self.revision < REVISION {
            return Err(ClaimsError::Revision {
                revision: self.revision,
            });
        }
        Ok(())
    }
}

impl<M: Metadata> Token<M> {
    /// Reads a token and checks its form, whom it is about, and its signature.
    pub fn verify(jwt: &str) -> Result<Self, ClaimsError> {
        if jwt.len() > MAX_JWT_BYTES {
            return Err(ClaimsError::TooLong { size: jwt.len() });
        }
        let parts = || {
            let (signed, signature) = jwt.rsplit_once('.')?;
            let (header, claims) = signed.split_once('.')?;
            (!claims.contains('.')).then_some((signed, header, claims, signature))
        };
        let Some((signed, header, claims, signature)) = parts() else {
            return Err(ClaimsError::Form("it does not have three parts between dots"));
        };
        let header: Header = part(header, "token")?;
        if header.typ != TYPE || header.alg != ALGORITHM {
            return Err(ClaimsError::Header {
                typ: quote(&header.typ),
                alg: quote(&header.alg),
            });
        }
        let wire: Wire<M> = part(claims, M::KIND)?;
        let signature = decode(signature)?;
        let issuer =
            KeyPair::from_public_key(&wire.iss).map_err(|_| ClaimsError::Issuer(quote(&wire.iss)))?;
        if issuer.verify(signed.as_bytes(), &signature).is_err() {
            return Err(ClaimsError::Signature { issuer: wire.iss });
        }
        check_subject::<M>(&wire.sub)?;
        Ok(Self {
            jwt: jwt.to_owned(),
            claims: wire.into(),
        })
    }

    /// Signs claims. The same input gives the same token: its id follows from what it says.
    pub fn sign(
        metadata: M,
        subject: &str,
        issuer: &KeyPair,
        validity: Validity,
    ) -> Result<Self, ClaimsError> {
        check_subject::<M>(subject)?;
        let public = issuer.public_key();
        if !public.starts_with(M::ISSUER) {
            return Err(ClaimsError::WrongIssuer {
                kind: M::KIND,
                prefix: M::ISSUER,
                found: public,
            });
        }
        let mut wire = Wire {
            exp: validity.expires,
            jti: String::new(),
            iat: validity.issued_at,
            iss: public,
            sub: subject.to_owned(),
            nbf: validity.not_before,
            wascap: metadata,
            wascap_revision: Some(REVISION),
        };
        let mut id = Digest::of(&json(&wire)?).hex();
        id.truncate(ID_DIGITS);
        wire.jti = id;
        let header = Header {
            typ: TYPE.to_owned(),
            alg: ALGORITHM.to_owned(),
        };
        let mut jwt = URL_SAFE_NO_PAD.encode(json(&header)?);
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(json(&wire)?, &mut jwt);
        let signature = issuer
            .sign(jwt.as_bytes())
            .map_err(|error| ClaimsError::Sign(error.into()))?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        if jwt.len() > MAX_JWT_BYTES {
            return Err(ClaimsError::TooLong { size: jwt.len() });
        }
        Ok(Self {
            jwt,
            claims: wire.into(),
        })
    }

    /// The token as it travels.
    #[must_use]
    pub fn jwt(&self) -> &str {
        &self.jwt
    }

    /// What it says.
    #[must_use]
    pub fn claims(&self) -> &Claims<M> {
        &self.claims
    }
}

impl<M> From<Wire<M>> for Claims<M> {
    fn from(wire: Wire<M>) -> Self {
        Self {
            issuer: wire.iss,
            subject: wire.sub,
            id: wire.jti,
            validity: Validity {
                issued_at: wire.iat,
                expires: wire.exp,
                not_before: wire.nbf,
            },
            revision: wire.wascap_revision.unwrap_or_default(),
            metadata: wire.wascap,
        }
    }
}

fn check_subject<M: Metadata>(subject: &str) -> Result<(), ClaimsError> {
    // Curve keys are no points of Ed25519, but they start with a letter that no subject has.
    if subject.starts_with(M::SUBJECT) && KeyPair::from_public_key(subject).is_ok() {
        return Ok(());
    }
    Err(ClaimsError::Subject {
        kind: M::KIND,
        prefix: M::SUBJECT,
        subject: quote(subject),
    })
}

fn decode(part: &str) -> Result<Vec<u8>, ClaimsError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| ClaimsError::Form("a part is not base64url without padding"))
}

fn part<T: DeserializeOwned>(part: &str, kind: &'static str) -> Result<T, ClaimsError> {
    serde_json::from_slice(&decode(part)?).map_err(|error| ClaimsError::Content {
        kind,
        reason: quote(&error.to_string()),
    })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, ClaimsError> {
    serde_json::to_vec(value).map_err(|error| ClaimsError::Sign(error.into()))
}

#[cfg(test)]
mod tests;
