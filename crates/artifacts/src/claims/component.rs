//! Claims that are part of a component: a custom section with the token.
//!
//! The claims hold a hash of the component without them. It is not a hash of the bytes as they are: v1 writes the
//! component anew, leaving out the sections with tokens at every depth, with every section's length in the shortest
//! form of LEB128 (learnt from the published crate `wascap` 0.16, and held to components that it signed by
//! `tests/v1`). Linkers pad lengths, so for their output the two differ.

use std::mem;

use nkeys::KeyPair;
use wasmparser::{BinaryReader, BinaryReaderError, Encoding, Parser, Payload};

use super::error::{ClaimsError, quote};
use super::metadata::ComponentMetadata;
use super::token::{Token, Validity};
use crate::artifact::Artifact;
use crate::digest::Digest;
use crate::wasm::MAX_DEPTH;

/// Where the token is.
const SECTION: &str = "wasmcloud_jwt";
/// Where it was before `wascap` 0.9.
const LEGACY_SECTION: &str = "jwt";
/// The id of custom sections in the binary format of WebAssembly.
const CUSTOM: u8 = 0;
const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component without its tokens.
struct Stripped<'a> {
    /// What is hashed.
    bytes: Vec<u8>,
    /// The tokens of the outermost level; those of components within are about those.
    tokens: Vec<&'a [u8]>,
}

/// The claims in a component, with signature and hash checked; `None` if it is not signed. Whether they hold now is
/// for [`check_time`](super::Claims::check_time).
///
/// Of what is not signed only the outermost sections are looked at: that costs next to nothing.
pub fn component_claims(wasm: &[u8]) -> Result<Option<Token<ComponentMetadata>>, ClaimsError> {
    // What cannot be walked is left to whoever can say what is wrong with it.
    if is_unsigned(wasm).unwrap_or(false) {
        return Ok(None);
    }
    let stripped = strip(wasm)?;
    let token = match *stripped.tokens.as_slice() {
        [] => return Ok(None),
        [token] => token,
        ref tokens => return Err(ClaimsError::Several(tokens.len())),
    };
    let jwt = std::str::from_utf8(token).map_err(|_| ClaimsError::Form("it is not text"))?;
    let token = Token::<ComponentMetadata>::verify(jwt)?;
    token.claims().check_revision()?;
    check_hash(&token.claims().metadata.hash, &stripped.bytes)?;
    Ok(Some(token))
}

impl Artifact {
    /// The claims in the artifact, which is a component, as [`component_claims`] reads them, on a thread for such work.
    pub async fn component_claims(&self) -> Result<Option<Token<ComponentMetadata>>, ClaimsError> {
        let bytes = self.bytes.clone();
        tokio::task::spawn_blocking(move || component_claims(&bytes))
            .await
            .map_err(|_| ClaimsError::Aborted)?
    }
}

/// Signs a component: the claims, with the hash of this component in them, become part of it. Claims that it has are
/// replaced.
pub fn sign_component(
    wasm: &[u8],
    metadata: ComponentMetadata,
    subject: &str,
    issuer: &KeyPair,
    validity: Validity,
) -> Result<Vec<u8>, ClaimsError> {
    let mut bytes = strip(wasm)?.bytes;
    let metadata = ComponentMetadata {
        hash: hash(&bytes),
        ..metadata
    };
    let token = Token::sign(metadata, subject, issuer, validity)?;
    let mut section = Vec::with_capacity(SECTION.len() + token.jwt().len() + 1);
    leb128(&mut section, SECTION.len());
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(token.jwt().as_bytes());
    add_section(&mut bytes, CUSTOM, &section);
    Ok(bytes)
}

/// How v1 writes hashes: SHA-256 in upper-case hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().to_ascii_uppercase()
}

/// Whether content is what claims are about.
pub(crate) fn check_hash(claimed: &str, bytes: &[u8]) -> Result<(), ClaimsError> {
    let actual = hash(bytes);
    if actual.eq_ignore_ascii_case(claimed) {
        return Ok(());
    }
    Err(ClaimsError::Hash {
        claimed: quote(claimed),
        actual,
    })
}

/// Whether no section of the outermost level is a token.
fn is_unsigned(wasm: &[u8]) -> Result<bool, BinaryReaderError> {
    let mut file = BinaryReader::new(wasm, 0);
    file.read_bytes(COMPONENT_HEADER.len())?;
    while !file.eof() {
        let id = file.read_u8()?;
        let len = file.read_var_u32()?;
        let start = file.original_position();
        let content = file.read_bytes(len as usize)?;
        if id == CUSTOM && is_token(BinaryReader::new(content, start).read_string()?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a custom section with this name is a token.
fn is_token(name: &str) -> bool {
    [SECTION, LEGACY_SECTION].contains(&name)
}

fn strip(wasm: &[u8]) -> Result<Stripped<'_>, ClaimsError> {
    let mut outer: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut bytes = Vec::with_capacity(wasm.len());
    let mut tokens = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| ClaimsError::NotWasm(quote(&error.to_string())))?;
        let section = payload.as_section();
        match (&payload, section) {
            (Payload::Version { encoding, .. }, _) => bytes.extend_from_slice(match encoding {
                Encoding::Module => MODULE_HEADER,
                Encoding::Component => COMPONENT_HEADER,
            }),
            // What is within comes next, and then its end.
            (Payload::ModuleSection { .. } | Payload::ComponentSection { .. }, Some((id, _))) => {
                if outer.len() >= MAX_DEPTH {
                    return Err(ClaimsError::TooDeep);
                }
                outer.push((id, mem::take(&mut bytes)));
            }
            (Payload::End(_), _) => {
                if let Some((id, parent)) = outer.pop() {
                    let inner = mem::replace(&mut bytes, parent);
                    add_section(&mut bytes, id, &inner);
                }
            }
            (Payload::CustomSection(custom), _) if is_token(custom.name()) => {
                if outer.is_empty() {
                    tokens.push(custom.data());
                }
            }
            (_, Some((id, range))) => {
                let content = wasm
                    .get(range)
                    .ok_or_else(|| ClaimsError::NotWasm("a section ends after the file".to_owned()))?;
                add_section(&mut bytes, id, content);
            }
            (_, None) => {}
        }
    }
    Ok(Stripped { bytes, tokens })
}

fn add_section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    leb128(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// Seven bits a byte, the lowest first; all but the last have the highest bit set.
fn leb128(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests;
