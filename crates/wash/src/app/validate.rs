//! `wash app validate`.

use serde_json::json;
use wasmcloud_manifest::Desired;

use super::args::ValidateArgs;
use super::load::Text;
use crate::exit::Failure;
use crate::output::Output;

pub(super) fn run(args: &ValidateArgs, output: &Output) -> Result<(), Failure> {
    if args.check_image_refs {
        output.note(
            "warning: --check-image-refs has no effect: `wash inspect IMAGE` says whether a registry has an image",
        );
    }
    let loaded = Text::of_file(&args.manifest)?.resolve(true)?;
    for warning in &loaded.warnings {
        output.warning(warning);
    }
    let Desired {
        app,
        components,
        providers,
        links,
        ..
    } = &loaded.desired;
    let text = format!(
        "{} is valid: application `{app}` with {} components, {} providers and {} links",
        loaded.file,
        components.len(),
        providers.len(),
        links.len()
    );
    let value = json!({
        "valid": true,
        "name": app.as_str(),
        "version": loaded.desired.version,
        "components": components.len(),
        "providers": providers.len(),
        "links": links.len(),
        "warnings": loaded.warnings.len(),
    });
    output.data(&text, &value);
    Ok(())
}
