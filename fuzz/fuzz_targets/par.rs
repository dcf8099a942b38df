//! Provider archives and claims, as registries give them out: read and bound to a signature, or refused with a reason.

#![no_main]

use std::time::UNIX_EPOCH;

use libfuzzer_sys::fuzz_target;
use nkeys::KeyPair;
use wasmcloud_artifacts::claims::{
    ClaimsError, ComponentMetadata, ProviderMetadata, Token, Validity, component_claims, sign_component,
};
use wasmcloud_artifacts::par::{ParLimits, ProviderArchive, ProviderArchiveBuilder, Target};

const LIMITS: ParLimits = ParLimits {
    entries: 8,
    entry_bytes: 1 << 20,
    total_bytes: 2 << 20,
};

fuzz_target!(|input: &[u8]| {
    match ProviderArchive::read(input, LIMITS) {
        Ok(archive) => {
            // What was read with a good signature is written and read as the same.
            let issuer = KeyPair::new_account();
            let validity = Validity::from(UNIX_EPOCH);
            let again = ProviderArchiveBuilder::from_archive(&archive)
                .and_then(|builder| builder.build(&archive.claims().subject, &issuer, validity))
                .expect("what was read can be written");
            let again = ProviderArchive::read(&again, LIMITS).expect("what was written can be read");
            // Claims may list programs that the archive does not have; these are not listed again.
            let (new, old) = (&again.claims().metadata, &archive.claims().metadata);
            assert_eq!(
                (&new.name, &new.vendor, &new.config_schema),
                (&old.name, &old.vendor, &old.config_schema)
            );
            assert!(again.targets().eq(archive.targets()));
            for target in archive.targets() {
                assert_eq!(again.binary(target).ok(), archive.binary(target).ok());
            }
        }
        Err(error) => assert!(error.to_string().len() < 4096, "{error}"),
    }
    let _ = ProviderArchive::read_for(input, LIMITS, &Target::here());

    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(token) = Token::<ProviderMetadata>::verify(text)
    {
        assert_eq!(token.jwt(), text);
    }

    match component_claims(input) {
        Ok(Some(_)) | Err(_) => {}
        Ok(None) => {
            // Any WebAssembly can be signed, and is then bound to the signature. Whether it is WebAssembly, nobody has
            // looked at for what is unsigned.
            let (subject, issuer) = (KeyPair::new_module().public_key(), KeyPair::new_account());
            let metadata = ComponentMetadata::default();
            match sign_component(input, metadata, &subject, &issuer, Validity::from(UNIX_EPOCH)) {
                Ok(signed) => {
                    let token = component_claims(&signed).expect("what was signed is believed");
                    assert_eq!(token.expect("it is signed").claims().subject, subject);
                }
                Err(ClaimsError::NotWasm(_) | ClaimsError::TooDeep) => {}
                Err(error) => panic!("what is unsigned was not signed: {error}"),
            }
        }
    }
});
