//! What can be wrong with claims. Tokens come from outside, so whatever is quoted of them is cut and cleaned.

use super::time::UnixTime;
use super::token::MAX_JWT_BYTES;
use crate::error::BoxError;
use crate::wasm::MAX_DEPTH;

/// What to do about claims that are not those of what they are in.
const AGAIN: &str = "hint: get it again from who made it, or sign it again";
/// Longest quotation from a token, in characters.
const QUOTED: usize = 100;

/// Why claims are not believed, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClaimsError {
    /// Longer than any token has reason to be.
    #[error(
        "the token has {size} bytes, the limit is {MAX_JWT_BYTES}; hint: sign it again, with shorter claims"
    )]
    TooLong {
        /// Its length in bytes.
        size: usize,
    },
    /// Not three parts in base64url.
    #[error("this is not a token: {0}; {AGAIN}")]
    Form(&'static str),
    /// Another kind of token, or another algorithm.
    #[error(
        "the token is a `{typ}` signed with `{alg}`; only `jwt` signed with `Ed25519` is known here; {AGAIN}"
    )]
    Header {
        /// What it calls itself.
        typ: String,
        /// What it was signed with.
        alg: String,
    },
    /// The JSON is not what it must be.
    #[error("the claims of this {kind} cannot be read: {reason}; {AGAIN}")]
    Content {
        /// Whose claims they should be.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The issuer is no key.
    #[error("the issuer `{0}` is not a public nkey, so nothing can be verified; {AGAIN}")]
    Issuer(String),
    /// The subject is no key, or one of another kind of subject.
    #[error(
        "the subject of a {kind} must be a public nkey that starts with `{prefix}`, not `{subject}`; {AGAIN}"
    )]
    Subject {
        /// Whose claims they should be.
        kind: &'static str,
        /// The first letter of its keys.
        prefix: char,
        /// What it is.
        subject: String,
    },
    /// The signature is not the issuer's.
    #[error(
        "the signature is not that of the issuer `{issuer}`: the claims were changed, or signed with another key; \
         {AGAIN}"
    )]
    Signature {
        /// Who is said to have signed.
        issuer: String,
    },
    /// Too late.
    #[error("the claims expired at {at}; hint: sign it again")]
    Expired {
        /// When.
        at: UnixTime,
    },
    /// Too early.
    #[error("the claims are not valid before {at}; hint: wait, or look at the clock of this machine")]
    NotYet {
        /// When they will be.
        at: UnixTime,
    },
    /// Signed before hashes could be compared, so it could be the token of anything.
    #[error(
        "the token is of an old form (revision {revision}) that is not bound to what it is part of; hint: sign the \
         component again with `wash claims sign`"
    )]
    Revision {
        /// The revision that it names, 0 if it names none.
        revision: u32,
    },
    /// The claims are about other bytes.
    #[error("the claims are about content with the hash {claimed}, but this has {actual}; {AGAIN}")]
    Hash {
        /// The hash in the claims.
        claimed: String,
        /// The hash of the content.
        actual: String,
    },
    /// Which one counts would be a guess.
    #[error("it has {0} tokens, there must be one; {AGAIN}")]
    Several(usize),
    /// Only WebAssembly can have claims in it.
    #[error("this is not WebAssembly: {0}")]
    NotWasm(String),
    /// Components within components, and so on, deeper than anybody writes.
    #[error(
        "it is nested more than {MAX_DEPTH} deep, so it cannot be compared with claims; hint: nest it less deep"
    )]
    TooDeep,
    /// A key of another kind is needed to sign.
    #[error("a {kind} is signed by a key that starts with `{prefix}`, and `{found}` does not")]
    WrongIssuer {
        /// What is to be signed.
        kind: &'static str,
        /// The first letter of the public keys that may.
        prefix: char,
        /// The public key that was given.
        found: String,
    },
    /// The process is ending.
    #[error("reading the claims was broken off")]
    Aborted,
    /// The key cannot sign.
    #[error("sign the claims")]
    Sign(#[source] BoxError),
}

/// Text from outside as it may stand in a message.
pub(crate) fn quote(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_why_and_what_to_do() {
        let text = || "x".to_owned();
        let again = "; hint: get it again from who made it, or sign it again";
        for (error, said) in [
            (
                ClaimsError::TooLong { size: 2_000_000 },
                "the token has 2000000 bytes, the limit is 1048576; hint: sign it again, with shorter claims".to_owned(),
            ),
            (ClaimsError::Form("y"), format!("this is not a token: y{again}")),
            (
                ClaimsError::Header { typ: text(), alg: text() },
                format!("the token is a `x` signed with `x`; only `jwt` signed with `Ed25519` is known here{again}"),
            ),
            (
                ClaimsError::Content { kind: "component", reason: text() },
                format!("the claims of this component cannot be read: x{again}"),
            ),
            (
                ClaimsError::Issuer(text()),
                format!("the issuer `x` is not a public nkey, so nothing can be verified{again}"),
            ),
            (
                ClaimsError::Subject { kind: "component", prefix: 'M', subject: text() },
                format!("the subject of a component must be a public nkey that starts with `M`, not `x`{again}"),
            ),
            (
                ClaimsError::Signature { issuer: text() },
                format!(
                    "the signature is not that of the issuer `x`: the claims were changed, or signed with another key{again}"
                ),
            ),
            (
                ClaimsError::Expired { at: UnixTime(0) },
                "the claims expired at 1970-01-01T00:00:00Z; hint: sign it again".to_owned(),
            ),
            (
                ClaimsError::NotYet { at: UnixTime(0) },
                "the claims are not valid before 1970-01-01T00:00:00Z; hint: wait, or look at the clock of this machine"
                    .to_owned(),
            ),
            (
                ClaimsError::Revision { revision: 2 },
                "the token is of an old form (revision 2) that is not bound to what it is part of; hint: sign the \
                 component again with `wash claims sign`"
                    .to_owned(),
            ),
            (
                ClaimsError::Hash { claimed: text(), actual: text() },
                format!("the claims are about content with the hash x, but this has x{again}"),
            ),
            (
                ClaimsError::Several(2),
                format!("it has 2 tokens, there must be one{again}"),
            ),
        ] {
            assert_eq!(error.to_string(), said);
        }
    }
}
