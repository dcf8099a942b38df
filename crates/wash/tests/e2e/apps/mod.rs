//! `wash app …` against a controller that does as a script says.

mod changes;
mod deployed;
mod moved;
mod shown;

use std::fs;
use std::path::Path;

use anyhow::Result;

/// One component, one provider, and a link between them.
const SHOP: &str = "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
  annotations:
    version: v1
spec:
  components:
    - name: cart
      type: component
      properties:
        image: file://./cart.wasm
      traits:
        - type: spreadscaler
          properties:
            instances: 2
        - type: link
          properties:
            namespace: wasi
            package: keyvalue
            interfaces: [store]
            target:
              name: kv
    - name: kv
      type: capability
      properties:
        image: ghcr.io/acme/kv:1
";

/// The manifest with pieces replaced, as a file.
fn manifest(dir: &Path, file: &str, pieces: &[(&str, &str)]) -> Result<String> {
    let path = dir.join(file);
    fs::write(&path, shop(pieces))?;
    Ok(path.display().to_string())
}

fn shop(pieces: &[(&str, &str)]) -> String {
    pieces.iter().fold(SHOP.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old:?} is not in the manifest");
        text.replace(old, new)
    })
}
