//! Archives: made, read back, and refused when anything about them is not what was signed.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use nkeys::KeyPair;
use proptest::prelude::*;

use super::*;
use crate::claims::{ClaimsError, ProviderMetadata, Token, Validity, hash};

const LIMITS: ParLimits = ParLimits {
    entries: 8,
    entry_bytes: 10_000,
    total_bytes: 100_000,
};

fn target(name: &str) -> Target {
    name.parse().unwrap()
}

fn validity() -> Validity {
    Validity::from(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn metadata() -> ProviderMetadata {
    ProviderMetadata {
        name: Some("kv".to_owned()),
        vendor: "acme".to_owned(),
        revision: Some(7),
        config_schema: Some(serde_json::json!({"type": "object"})),
        ..ProviderMetadata::default()
    }
}

fn builder() -> ProviderArchiveBuilder {
    ProviderArchiveBuilder::new(metadata())
        .program(target("x86_64-linux"), Bytes::from_static(b"linux"))
        .program(target("aarch64-macos"), Bytes::from_static(b"macos"))
        .world(Bytes::from_static(b"world"))
}

fn build(builder: ProviderArchiveBuilder) -> Vec<u8> {
    let (subject, issuer) = (KeyPair::new_service(), KeyPair::new_account());
    builder.build(&subject.public_key(), &issuer, validity()).unwrap()
}

/// A token with hashes of this content.
fn claims_for(content: &[(&str, &[u8])]) -> Vec<u8> {
    let metadata = ProviderMetadata {
        target_hashes: content
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), hash(bytes)))
            .collect(),
        ..metadata()
    };
    let subject = KeyPair::new_service().public_key();
    let token = Token::sign(metadata, &subject, &KeyPair::new_account(), validity()).unwrap();
    token.jwt().as_bytes().to_vec()
}

/// A tar file with entries by whatever name, which the library for tar files would not write.
fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in entries {
        bytes.extend(header(name, content.len() as u64, tar::EntryType::Regular));
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn header(name: &str, size: u64, kind: tar::EntryType) -> [u8; 512] {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_entry_type(kind);
    header.set_cksum();
    *header.as_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn refused(bytes: &[u8]) -> ParError {
    let plain = ProviderArchive::read(bytes, LIMITS).unwrap_err();
    // Compressed it is the same.
    if !bytes.starts_with(GZIP_MAGIC) && !bytes.is_empty() && !bytes.starts_with(b"\0asm") {
        let packed = ProviderArchive::read(&gzip(bytes), LIMITS).unwrap_err();
        assert_eq!(packed.to_string(), plain.to_string());
    }
    assert!(plain.to_string().len() < 500, "{plain}");
    plain
}

#[test]
fn what_is_written_is_read() {
    for compressed in [false, true] {
        let bytes = build(builder().compressed(compressed));
        assert_eq!(bytes.starts_with(GZIP_MAGIC), compressed);
        let archive = ProviderArchive::read(&bytes, LIMITS).unwrap();
        assert_eq!(archive.is_compressed(), compressed);
        assert_eq!(archive.binary_for("x86_64", "linux").unwrap().as_ref(), b"linux");
        assert_eq!(
            archive.binary(&target("aarch64-macos")).unwrap().as_ref(),
            b"macos"
        );
        assert_eq!(archive.world().map(Bytes::as_ref), Some(b"world".as_slice()));
        let written = ProviderMetadata {
            target_hashes: archive.claims().metadata.target_hashes.clone(),
            ..metadata()
        };
        assert_eq!(archive.claims().metadata, written);
        assert_eq!(written.target_hashes.len(), 3);
    }
}

#[test]
fn the_same_input_is_the_same_archive() {
    let (subject, issuer) = (KeyPair::new_service().public_key(), KeyPair::new_account());
    for compressed in [false, true] {
        let build = || {
            builder()
                .compressed(compressed)
                .build(&subject, &issuer, validity())
                .unwrap()
        };
        assert!(build() == build());
    }
}

#[test]
fn a_program_is_replaced_and_the_rest_stays() {
    let first = ProviderArchive::read(&build(builder().compressed(true)), LIMITS).unwrap();
    let changed = ProviderArchiveBuilder::from_archive(&first)
        .unwrap()
        .program(target("x86_64-linux"), Bytes::from_static(b"new"))
        .program(target("riscv64-linux"), Bytes::from_static(b"more"));
    let second = ProviderArchive::read(&build(changed), LIMITS).unwrap();
    assert!(second.is_compressed());
    assert_eq!(second.binary_for("x86_64", "linux").unwrap().as_ref(), b"new");
    assert_eq!(second.binary_for("riscv64", "linux").unwrap().as_ref(), b"more");
    assert_eq!(second.binary_for("aarch64", "macos").unwrap().as_ref(), b"macos");
    assert_eq!(second.world(), first.world());
    assert_eq!(
        second.claims().metadata.config_schema,
        first.claims().metadata.config_schema
    );
}

#[test]
fn one_target_is_read_alone() {
    let bytes = build(builder());
    let linux = target("x86_64-linux");
    let archive = ProviderArchive::read_for(&bytes, LIMITS, &linux).unwrap();
    assert_eq!(archive.binary(&linux).unwrap().as_ref(), b"linux");
    assert!(matches!(
        archive.binary_for("aarch64", "macos"),
        Err(ParError::NotRead(_))
    ));
    assert!(matches!(
        ProviderArchiveBuilder::from_archive(&archive),
        Err(ParError::NotRead(_))
    ));
    let elsewhere = target("sparc-plan9");
    let archive = ProviderArchive::read_for(&bytes, LIMITS, &elsewhere).unwrap();
    let error = archive.binary(&elsewhere).unwrap_err().to_string();
    assert!(
        error.contains("sparc-plan9") && error.contains("aarch64-macos, x86_64-linux"),
        "{error}"
    );
    let error = archive.binary_for("../..", "etc\u{7}").unwrap_err().to_string();
    assert!(error.contains("only for") && !error.contains('\u{7}'), "{error}");
}

#[tokio::test]
async fn an_artifact_is_an_archive() {
    let artifact = crate::Artifact {
        name: "kv".to_owned(),
        bytes: build(builder()).into(),
        origin: crate::Origin::File,
    };
    let linux = target("x86_64-linux");
    let archive = artifact.provider_archive(LIMITS, linux.clone()).await.unwrap();
    assert_eq!(archive.binary(&linux).unwrap().as_ref(), b"linux");
}

#[test]
fn what_is_not_an_archive() {
    assert!(matches!(refused(b""), ParError::NotAnArchive("an empty file")));
    assert!(matches!(
        refused(b"\0asm\x0d\0\x01\0"),
        ParError::NotAnArchive("WebAssembly")
    ));
    assert!(matches!(refused(&[b'x'; 2000]), ParError::Malformed(_)));
    assert!(matches!(refused(&[0x1f, 0x8b, 1, 2, 3]), ParError::Malformed(_)));
    let whole = build(builder().compressed(true));
    assert!(matches!(
        refused(&whole[..whole.len() / 2]),
        ParError::Malformed(_)
    ));
    assert!(matches!(refused(&[0; 4096]), ParError::Unsigned));
}

#[test]
fn what_is_unsigned_or_empty() {
    assert!(matches!(
        refused(&tar(&[("x86_64-linux.bin", b"linux")])),
        ParError::Unsigned
    ));
    assert!(matches!(
        refused(&tar(&[("claims.jwt", &claims_for(&[]))])),
        ParError::Empty
    ));
    let nothing = ProviderArchiveBuilder::new(metadata());
    let key = KeyPair::new_service().public_key();
    assert!(matches!(
        nothing.build(&key, &KeyPair::new_account(), validity()),
        Err(ParError::Empty)
    ));
}

#[test]
fn wrong_claims() {
    let good = claims_for(&[("x86_64-linux", b"linux")]);
    let archive = |claims: &[u8]| tar(&[("claims.jwt", claims), ("x86_64-linux.bin", b"linux")]);
    assert!(ProviderArchive::read(&archive(&good), LIMITS).is_ok());
    let mut forged = good.clone();
    let last = forged.len() - 10;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    assert!(matches!(
        refused(&archive(&forged)),
        ParError::Claims(ClaimsError::Signature { .. })
    ));
    for bad in [b"".as_slice(), b"a.b.c", b"\xff\xff"] {
        assert!(matches!(refused(&archive(bad)), ParError::Claims(_)), "{bad:?}");
    }
    // Claims about something else.
    let component = Token::sign(
        crate::claims::ComponentMetadata::default(),
        &KeyPair::new_module().public_key(),
        &KeyPair::new_account(),
        validity(),
    );
    let component = component.unwrap();
    assert!(matches!(
        refused(&archive(component.jwt().as_bytes())),
        ParError::Claims(ClaimsError::Content { .. })
    ));
}

#[test]
fn other_content_than_was_signed() {
    let claims = claims_for(&[("x86_64-linux", b"linux"), ("world.wasm", b"world")]);
    let check = |entries: &[(&str, &[u8])]| {
        let mut all = vec![("claims.jwt", claims.as_slice())];
        all.extend_from_slice(entries);
        ProviderArchive::read(&tar(&all), LIMITS)
    };
    assert!(check(&[("x86_64-linux.bin", b"linux"), ("world.wasm", b"world")]).is_ok());
    let changed = check(&[("x86_64-linux.bin", b"evil!")]);
    assert!(matches!(changed, Err(ParError::Changed { name, .. }) if name == "x86_64-linux"));
    let changed = check(&[("x86_64-linux.bin", b"linux"), ("world.wasm", b"other")]);
    assert!(matches!(changed, Err(ParError::Changed { name, .. }) if name == "world.wasm"));
    // v1 panics here.
    let unlisted = check(&[("x86_64-linux.bin", b"linux"), ("arm-linux.bin", b"evil!")]);
    assert!(matches!(unlisted, Err(ParError::Unlisted { name }) if name == "arm-linux"));
    // The claims of another archive.
    let mut entries = vec![("claims.jwt", claims.as_slice())];
    entries.push(("aarch64-linux.bin", b"linux"));
    assert!(matches!(refused(&tar(&entries)), ParError::Unlisted { .. }));
}

#[test]
fn names_are_never_paths() {
    let claims = claims_for(&[("x86_64-linux", b"linux")]);
    for name in [
        "../../etc/passwd",
        "/etc/passwd",
        "../x86_64-linux.bin",
        "bin/x86_64-linux.bin",
        "././claims.jwt",
        "x86_64-linux",
        "x86_64-linux.so",
        "x86_64.bin",
        ".bin",
        "a-b-c.bin",
        "claims.jwt ",
        "CLAIMS.JWT",
        "..\\x86_64-linux.bin",
        "evil\u{1b}[2J-linux.bin",
        "",
    ] {
        let error = refused(&tar(&[("claims.jwt", &claims), (name, b"linux")]));
        assert!(matches!(error, ParError::Entry { .. }), "{name:?}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    // As `tar` run by hand writes them.
    let by_hand = tar(&[("./x86_64-linux.bin", b"linux"), ("./claims.jwt", &claims)]);
    let archive = ProviderArchive::read(&by_hand, LIMITS).unwrap();
    assert_eq!(archive.binary_for("x86_64", "linux").unwrap().as_ref(), b"linux");
}

#[test]
fn only_files() {
    use tar::EntryType;
    for kind in [
        EntryType::Directory,
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ] {
        let mut bytes = header("x86_64-linux.bin", 0, kind).to_vec();
        bytes.extend(tar(&[("claims.jwt", b"x")]));
        assert!(matches!(refused(&bytes), ParError::Entry { .. }), "{kind:?}");
    }
}

#[test]
fn twice_is_an_error() {
    let claims = claims_for(&[("x86_64-linux", b"linux")]);
    for name in ["claims.jwt", "world.wasm", "x86_64-linux.bin"] {
        let bytes = tar(&[(name, &claims), (&format!("./{name}"), b"other")]);
        assert!(matches!(refused(&bytes), ParError::Duplicate { .. }), "{name}");
        let other = target("arm-linux");
        let passed_over = ProviderArchive::read_for(&bytes, LIMITS, &other);
        assert!(matches!(passed_over, Err(ParError::Duplicate { .. })), "{name}");
    }
}

#[test]
fn limits_hold() {
    let claims = claims_for(&[("x86_64-linux", b"linux")]);
    let names: Vec<String> = (0..9).map(|number| format!("arch{number}-linux.bin")).collect();
    let many: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"x".as_slice()))
        .collect();
    assert!(matches!(
        refused(&tar(&many)),
        ParError::TooManyEntries { limit: 8 }
    ));

    let large = vec![0; 10_001];
    let error = refused(&tar(&[("claims.jwt", &claims), ("x86_64-linux.bin", &large)]));
    assert!(
        matches!(
            error,
            ParError::EntryTooLarge {
                size: 10_001,
                limit: 10_000,
                ..
            }
        ),
        "{error}"
    );

    // A header may say anything about what follows.
    for size in [10_001, 1 << 40, u64::MAX - 1, u64::MAX] {
        let header = header("x86_64-linux.bin", size, tar::EntryType::Regular);
        assert!(matches!(
            refused(&header),
            ParError::EntryTooLarge { .. } | ParError::Malformed(_)
        ));
    }
    let mut short = header("x86_64-linux.bin", 600, tar::EntryType::Regular).to_vec();
    short.extend([1; 300]);
    assert!(matches!(refused(&short), ParError::Truncated { .. }));
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let limits = ParLimits {
        entry_bytes: 1 << 40,
        ..LIMITS
    };
    let mut bomb = header("x86_64-linux.bin", 1 << 30, tar::EntryType::Regular).to_vec();
    bomb.resize(20 << 20, 0);
    let bomb = gzip(&bomb);
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    for target in ["x86_64-linux", "arm-linux"] {
        let error = ProviderArchive::read_for(&bomb, limits, &target.parse().unwrap()).unwrap_err();
        assert!(matches!(error, ParError::TooLarge { limit: 100_000 }), "{error}");
    }
    // An archive that is as large as it may be is read.
    let whole = build(builder());
    let exact = ParLimits {
        total_bytes: whole.len() as u64,
        ..LIMITS
    };
    assert!(ProviderArchive::read(&gzip(&whole), exact).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000), magic: bool) {
        let bytes = if magic { [GZIP_MAGIC, &bytes].concat() } else { bytes };
        prop_assert!(ProviderArchive::read(&bytes, LIMITS).is_err());
        prop_assert!(ProviderArchive::read(&gzip(&bytes), LIMITS).is_err());
    }

    #[test]
    fn arbitrary_entries_never_panic(
        entries in prop::collection::vec(("[a-z./0-9-]{0,20}(\\.bin|\\.jwt)?", prop::collection::vec(any::<u8>(), 0..50)), 0..6)
    ) {
        let claims = claims_for(&[("x86_64-linux", b"linux")]);
        let mut all = vec![("claims.jwt", claims.as_slice())];
        all.extend(entries.iter().map(|(name, content)| (name.as_str(), content.as_slice())));
        prop_assert!(ProviderArchive::read(&tar(&all), LIMITS).is_err());
    }

    #[test]
    fn any_programs_are_read_back(
        programs in prop::collection::btree_map("[a-z0-9_]{1,8}-[a-z]{1,8}", prop::collection::vec(any::<u8>(), 0..2000), 1..5),
        compressed: bool
    ) {
        let mut builder = ProviderArchiveBuilder::new(metadata()).compressed(compressed);
        for (name, content) in &programs {
            builder = builder.program(target(name), content.clone().into());
        }
        let archive = ProviderArchive::read(&build(builder), LIMITS).unwrap();
        prop_assert_eq!(archive.targets().count(), programs.len());
        for (name, content) in &programs {
            prop_assert_eq!(archive.binary(&target(name)).unwrap(), content);
        }
    }

    #[test]
    fn one_changed_byte_changes_nothing_that_is_given_out(at: prop::sample::Index, to: u8) {
        let mut bytes = build(builder());
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(archive) = ProviderArchive::read(&bytes, LIMITS) {
            for (name, content) in [("x86_64-linux", b"linux"), ("aarch64-macos", b"macos")] {
                if let Ok(program) = archive.binary(&target(name)) {
                    prop_assert_eq!(program.as_ref(), content);
                }
            }
        }
    }
}
