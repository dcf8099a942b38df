//! `WWW-Authenticate`: how a registry wants us to log in (RFC 9110 §11, distribution token specification).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Longest header that is looked at, in bytes.
const MAX_HEADER: usize = 8 << 10;

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token from a token server.
    Bearer(Realm),
}

/// Where tokens come from and what to ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Realm {
    pub(crate) url: String,
    pub(crate) service: Option<String>,
    pub(crate) scope: Option<String>,
}

/// The best way to log in that an answer offers, or the names of those that it offers instead.
pub(crate) fn read(headers: &HeaderMap) -> Result<Challenge, Vec<String>> {
    let mut found = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        if let Ok(text) = value.to_str()
            && text.len() <= MAX_HEADER
        {
            found.extend(parse(text));
        }
    }
    let param = |params: &[(String, String)], name: &str| {
        params
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let bearer = found.iter().find_map(|(scheme, params)| {
        let url = param(params, "realm").filter(|_| scheme == "bearer")?;
        Some(Challenge::Bearer(Realm {
            url,
            service: param(params, "service"),
            scope: param(params, "scope"),
        }))
    });
    let basic = || {
        found
            .iter()
            .any(|(scheme, _)| scheme == "basic")
            .then_some(Challenge::Basic)
    };
    bearer
        .or_else(basic)
        .ok_or_else(|| found.into_iter().map(|(scheme, _)| scheme).collect())
}

/// Schemes in lower case, each with its parameters, names in lower case.
type Parsed = Vec<(String, Vec<(String, String)>)>;

fn parse(text: &str) -> Parsed {
    let mut found: Parsed = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() && after.is_empty() {
            return found;
        }
        match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after);
                if let Some((_, params)) = found.last_mut() {
                    params.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
}

/// A token or quoted string at the start of a text, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => break,
            '\\' => value.extend(chars.next()),
            other => value.push(other),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[&str]) -> Result<Challenge, Vec<String>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        read(&headers)
    }

    #[test]
    fn challenges() {
        let realm = |scope: Option<&str>| {
            Ok(Challenge::Bearer(Realm {
                url: "https://auth.docker.io/token".to_owned(),
                service: Some("registry.docker.io".to_owned()),
                scope: scope.map(str::to_owned),
            }))
        };
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#;
        assert_eq!(check(&[bearer]), realm(None));
        let scoped = format!(r#"{bearer}, scope="repository:a/b:pull,push",error="invalid_token""#);
        assert_eq!(check(&[&scoped]), realm(Some("repository:a/b:pull,push")));
        assert_eq!(
            check(&[
                r#"Basic realm="x \" y", Bearer realm=https://auth.docker.io/token service=registry.docker.io"#
            ]),
            realm(None)
        );
        assert_eq!(check(&[r#"Basic realm="x""#, bearer]), realm(None));
        assert_eq!(check(&["basic"]), Ok(Challenge::Basic));
        assert_eq!(
            check(&["Negotiate", "Digest realm=x"]),
            Err(vec!["negotiate".to_owned(), "digest".to_owned()])
        );
        assert_eq!(check(&["Bearer service=x"]), Err(vec!["bearer".to_owned()]));
        assert_eq!(check(&[]), Err(Vec::new()));
    }

    proptest! {
        #[test]
        fn any_header_is_read_to_its_end(text in "[ -~]{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn odd_headers_are_read_to_their_end(text in "[a=\", \\\\]{0,40}") {
            let _ = parse(&text);
        }
    }
}
