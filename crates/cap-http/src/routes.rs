//! Which component gets a request: a table by host and path that is looked up without a lock and replaced whole when
//! a link comes or goes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmcloud_core::LinkKey;
use wasmcloud_engine::Target;

use crate::settings::RouteSettings;

/// Which requests a route takes. The more specific of two matching routes wins: a host before no host, an exact host
/// before a wildcard, an exact path before a prefix, a longer prefix before a shorter one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RouteMatch {
    /// `a.example` or `*.example`, lower case, without port; any host if absent.
    pub(crate) host: Option<String>,
    /// The path; any path if absent.
    pub(crate) path: Option<PathPattern>,
}

/// A path as it stands in a link's config.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PathPattern {
    /// `/api`: this path only, as in v1.
    Exact(String),
    /// `/api/*`: `/api` and everything below it. Held without the `/*`; empty for `/*`.
    Prefix(String),
}

impl PathPattern {
    /// Reads `/api` or `/api/*`.
    pub(crate) fn parse(raw: &str) -> Result<Self, String> {
        if !raw.starts_with('/') {
            return Err(format!("`{raw}` does not begin with `/`"));
        }
        if raw.contains(['?', '#']) || raw.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!(
                "`{raw}` is not a path: leave out query, fragment and white space"
            ));
        }
        match raw.strip_suffix("/*") {
            Some(prefix) if prefix.contains('*') => Err(format!("`{raw}` has `*` in the middle")),
            Some(prefix) => Ok(Self::Prefix(prefix.to_owned())),
            None if raw.contains('*') => Err(format!(
                "`{raw}` has a `*` that is not at the end after `/`; write `/api/*`"
            )),
            None => Ok(Self::Exact(raw.to_owned())),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(path) => write!(f, "{path}/*"),
        }
    }
}

impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.path) {
            (Some(host), Some(path)) => write!(f, "{host}{path}"),
            (Some(host), None) => write!(f, "{host}/*"),
            (None, Some(path)) => write!(f, "{path}"),
            (None, None) => f.write_str("every request"),
        }
    }
}

/// One route.
#[derive(Clone)]
pub(crate) struct Route {
    /// The link that made it.
    pub(crate) owner: LinkKey,
    /// What it takes.
    pub(crate) matches: RouteMatch,
    /// Who answers.
    pub(crate) target: Arc<Target>,
    /// How.
    pub(crate) settings: Arc<RouteSettings>,
    /// How requests get to it.
    pub(crate) way: wasmcloud_core::Route,
    /// Who takes them to other hosts, on a host that is part of a lattice.
    pub(crate) elsewhere: Option<wasmcloud_lattice::rpc::Caller>,
}

/// Why no route takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No route knows the host.
    Host,
    /// The host is known, the path is not.
    Path,
}

/// All routes of one listener.
#[derive(Default)]
pub(crate) struct RouteTable {
    routes: Vec<Arc<Route>>,
    exact_hosts: HashMap<String, Paths>,
    /// By the part after `*`: `.example`.
    wildcard_hosts: HashMap<String, Paths>,
    any_host: Paths,
}

#[derive(Default)]
struct Paths {
    exact: HashMap<String, Arc<Route>>,
    prefix: HashMap<String, Arc<Route>>,
}

impl Paths {
    fn insert(&mut self, route: Arc<Route>) {
        match &route.matches.path {
            Some(PathPattern::Exact(path)) => self.exact.insert(path.clone(), route),
            Some(PathPattern::Prefix(path)) => self.prefix.insert(path.clone(), route),
            None => self.prefix.insert(String::new(), route),
        };
    }

    /// Costs one look-up per `/` in the path, whatever the number of routes.
    fn find(&self, path: &str) -> Option<&Arc<Route>> {
        if let Some(route) = self.exact.get(path) {
            return Some(route);
        }
        if self.prefix.is_empty() {
            return None;
        }
        let mut prefix = path;
        loop {
            if let Some(route) = self.prefix.get(prefix) {
                return Some(route);
            }
            prefix = prefix.get(..prefix.rfind('/')?)?;
        }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefix.is_empty()
    }
}

impl RouteTable {
    /// A table of these routes.
    pub(crate) fn new(routes: Vec<Arc<Route>>) -> Self {
        let mut table = Self::default();
        for route in &routes {
            let paths = match &route.matches.host {
                None => &mut table.any_host,
                Some(host) => match host.strip_prefix('*') {
                    Some(suffix) => table.wildcard_hosts.entry(suffix.to_owned()).or_default(),
                    None => table.exact_hosts.entry(host.clone()).or_default(),
                },
            };
            paths.insert(Arc::clone(route));
        }
        table.routes = routes;
        table
    }

    /// All routes.
    pub(crate) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route for a request. `host` is without port; it is compared in lower case.
    pub(crate) fn find(&self, host: Option<&str>, path: &str) -> Result<&Arc<Route>, NoRoute> {
        let mut known_host = false;
        if let Some(host) = host
            && !(self.exact_hosts.is_empty() && self.wildcard_hosts.is_empty())
        {
            let host = host.to_ascii_lowercase();
            let mut candidates: Vec<&Paths> = Vec::new();
            candidates.extend(self.exact_hosts.get(&host));
            let mut rest = host.as_str();
            while let Some(dot) = rest.find('.') {
                rest = rest.get(dot..).unwrap_or_default();
                candidates.extend(self.wildcard_hosts.get(rest));
                rest = rest.get(1..).unwrap_or_default();
            }
            known_host = !candidates.is_empty();
            if let Some(route) = candidates.into_iter().find_map(|paths| paths.find(path)) {
                return Ok(route);
            }
        }
        match self.any_host.find(path) {
            Some(route) => Ok(route),
            None if known_host || !self.any_host.is_empty() || self.routes.is_empty() => Err(NoRoute::Path),
            None => Err(NoRoute::Host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, host: Option<&str>, path: Option<&str>) -> Arc<Route> {
        Arc::new(Route {
            owner: LinkKey {
                source: "http".parse().unwrap(),
                name: name.parse().unwrap(),
                namespace: "wasi".into(),
                package: "http".into(),
            },
            matches: RouteMatch {
                host: host.map(str::to_owned),
                path: path.map(|path| PathPattern::parse(path).unwrap()),
            },
            target: Target::new("c".parse().unwrap(), "test"),
            settings: Arc::default(),
            way: wasmcloud_core::Route::Auto,
            elsewhere: None,
        })
    }

    #[test]
    fn the_most_specific_route_wins() {
        let table = RouteTable::new(vec![
            route("root", None, Some("/*")),
            route("api", None, Some("/api/*")),
            route("users", None, Some("/api/users")),
            route("host", Some("a.example"), None),
            route("wild", Some("*.example"), Some("/w/*")),
        ]);
        let check = |host: &str, path: &str, expect: Result<&str, NoRoute>| {
            let found = table
                .find(Some(host), path)
                .map(|route| route.owner.name.as_str());
            assert_eq!(found, expect, "{host} {path}");
        };
        check("x", "/", Ok("root"));
        check("x", "/api", Ok("api"));
        check("x", "/api/", Ok("api"));
        check("x", "/apix", Ok("root"));
        check("x", "/api/users", Ok("users"));
        check("x", "/api/users/1", Ok("api"));
        check("A.Example", "/anything", Ok("host"));
        check("b.c.example", "/w/1", Ok("wild"));
        check("b.example", "/other", Ok("root"));
    }

    #[test]
    fn says_whether_host_or_path_is_unknown() {
        let table = RouteTable::new(vec![route("a", Some("a.example"), Some("/x"))]);
        assert_eq!(table.find(Some("b.example"), "/x").err(), Some(NoRoute::Host));
        assert_eq!(table.find(Some("a.example"), "/y").err(), Some(NoRoute::Path));
        assert_eq!(table.find(None, "/x").err(), Some(NoRoute::Host));
        assert_eq!(RouteTable::default().find(None, "/x").err(), Some(NoRoute::Path));
    }

    #[test]
    fn odd_patterns_are_refused() {
        for bad in ["api", "/a*", "/*/b/*", "/a?b", "", "/a b"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(PathPattern::parse("/*"), Ok(PathPattern::Prefix(String::new())));
    }
}
