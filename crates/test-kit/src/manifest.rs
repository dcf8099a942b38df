//! Manifests for tests, put together from what a test needs to say.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

/// A manifest. Its text is [`Manifest::text`].
#[derive(Clone, Debug)]
pub struct Manifest {
    parts: Vec<Part>,
}

/// One component or provider of a manifest.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    kind: &'static str,
    image: String,
    config: Pairs,
    runtime: Pairs,
    links: Vec<Link>,
}

#[derive(Clone, Debug)]
struct Link {
    name: String,
    target: String,
    interface: (&'static str, &'static str, Vec<&'static str>),
    source_config: Pairs,
}

type Pairs = Vec<(String, String)>;

fn pairs(given: &[(&str, &str)]) -> Pairs {
    given
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

const HTTP: (&str, &str) = ("wasi", "http");

impl Manifest {
    /// A manifest with one component.
    pub fn of(name: &str, file: &Path) -> Self {
        Self { parts: Vec::new() }.component(name, file)
    }

    /// Adds a component.
    #[must_use]
    pub fn component(self, name: &str, file: &Path) -> Self {
        self.part(name, "component", &format!("file://{}", file.display()))
    }

    /// Adds a provider that is part of the host, by its name there.
    #[must_use]
    pub fn provider(self, name: &str, builtin: &str) -> Self {
        self.part(name, "capability", &format!("wasmcloud+builtin://{builtin}"))
    }

    /// Adds a provider and links the last component to it for `namespace:package`.
    #[must_use]
    pub fn uses(
        mut self,
        builtin: &str,
        namespace: &'static str,
        package: &'static str,
        interfaces: &[&'static str],
    ) -> Self {
        let link = Link {
            name: "default".to_owned(),
            target: builtin.to_owned(),
            interface: (namespace, package, interfaces.to_vec()),
            source_config: Vec::new(),
        };
        if let Some(component) = self.parts.iter_mut().rev().find(|part| part.kind == "component") {
            component.links.push(link);
        }
        self.provider(builtin, builtin)
    }

    /// Sets the config of the part that was added last.
    #[must_use]
    pub fn config(mut self, values: &[(&str, &str)]) -> Self {
        if let Some(part) = self.parts.last_mut() {
            part.config.extend(pairs(values));
        }
        self
    }

    /// Sets limits of the part that was added last, for example `("memory", "16MiB")`.
    #[must_use]
    pub fn runtime(mut self, limits: &[(&str, &str)]) -> Self {
        if let Some(part) = self.parts.last_mut() {
            part.runtime.extend(pairs(limits));
        }
        self
    }

    /// Puts a component behind an HTTP server of its own at this address.
    #[must_use]
    pub fn http(self, component: &str, address: SocketAddr, settings: &[(&str, &str)]) -> Self {
        let mut config = pairs(settings);
        config.push(("address".to_owned(), address.to_string()));
        self.provider(&format!("http-{component}"), "http-server")
            .serves("default", component, config)
    }

    /// Adds an HTTP server that tells its routes apart by path; [`Manifest::route`] adds those.
    #[must_use]
    pub fn path_server(self, name: &str, address: SocketAddr) -> Self {
        let config = [
            ("routing_mode", "path"),
            ("default_address", &address.to_string()),
        ];
        self.provider(name, "http-server").config(&config)
    }

    /// Adds a route to the provider that was added last; its link has the component's name.
    #[must_use]
    pub fn route(self, path: &str, component: &str) -> Self {
        self.serves(component, component, pairs(&[("path", path)]))
    }

    fn serves(mut self, name: &str, component: &str, source_config: Pairs) -> Self {
        if let Some(part) = self.parts.last_mut() {
            part.links.push(Link {
                name: name.to_owned(),
                target: component.to_owned(),
                interface: (HTTP.0, HTTP.1, vec!["incoming-handler"]),
                source_config,
            });
        }
        self
    }

    fn part(mut self, name: &str, kind: &'static str, image: &str) -> Self {
        self.parts.push(Part {
            name: name.to_owned(),
            kind,
            image: image.to_owned(),
            config: Vec::new(),
            runtime: Vec::new(),
            links: Vec::new(),
        });
        self
    }

    /// The manifest as YAML.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: test\nspec:\n  components:\n",
        );
        for part in &self.parts {
            part.write(&mut text);
        }
        text
    }
}

impl Part {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "    - name: {}", quoted(&self.name));
        let _ = writeln!(out, "      type: {}", self.kind);
        let _ = writeln!(out, "      properties:\n        image: {}", quoted(&self.image));
        if !self.config.is_empty() {
            let _ = writeln!(out, "        config:");
            config(out, 10, &format!("{}-config", self.name), &self.config);
        }
        if self.kind == "component" || !self.links.is_empty() {
            let _ = writeln!(out, "      traits:");
        }
        if self.kind == "component" {
            let _ = writeln!(
                out,
                "        - type: spreadscaler\n          properties:\n            instances: 100"
            );
        }
        if !self.runtime.is_empty() {
            let _ = writeln!(out, "        - type: runtime\n          properties:");
            for (key, value) in &self.runtime {
                // Numbers are written as numbers.
                let value = value
                    .parse::<u64>()
                    .map_or_else(|_| quoted(value), |number| number.to_string());
                let _ = writeln!(out, "            {key}: {value}");
            }
        }
        for link in &self.links {
            let (namespace, package, interfaces) = &link.interface;
            let _ = writeln!(out, "        - type: link\n          properties:");
            let _ = writeln!(out, "            name: {}", quoted(&link.name));
            let _ = writeln!(
                out,
                "            target:\n              name: {}",
                quoted(&link.target)
            );
            let _ = writeln!(
                out,
                "            namespace: {namespace}\n            package: {package}"
            );
            let _ = writeln!(out, "            interfaces: [{}]", interfaces.join(", "));
            if !link.source_config.is_empty() {
                let _ = writeln!(out, "            source:\n              config:");
                config(
                    out,
                    16,
                    &format!("{}-{}-link", self.name, link.name),
                    &link.source_config,
                );
            }
        }
    }
}

fn config(out: &mut String, indent: usize, name: &str, values: &Pairs) {
    let pad = " ".repeat(indent);
    let _ = writeln!(out, "{pad}- name: {}\n{pad}  properties:", quoted(name));
    for (key, value) in values {
        let _ = writeln!(out, "{pad}    {key}: {}", quoted(value));
    }
}

/// JSON strings are YAML strings.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
