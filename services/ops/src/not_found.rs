//! Answers every request that no route takes.

use std::collections::BTreeMap;

use holdfast_domain::{Code, Failure};
use holdfast_kit::{ConfigError, Rejection, Request, Response};
use serde::Deserialize;

/// The one list of routes; Terraform attaches the same.
const FUNCTIONS: &str = include_str!("../../functions.json");

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    routes: Vec<String>,
}

/// The dependencies of `ops-not-found`.
pub struct Deps {
    /// Method and path template of every route.
    pub(crate) routes: Vec<(String, String)>,
}

impl Deps {
    /// Reads the list of routes.
    pub fn from_routes() -> Result<Self, ConfigError> {
        let functions: BTreeMap<String, Function> = serde_json::from_str(FUNCTIONS).map_err(|error| ConfigError {
            variable: "services/functions.json".into(),
            problem: format!("is not readable: {error}"),
        })?;
        let split = |route: String| route.split_once(' ').map(|(m, p)| (m.to_owned(), p.to_owned()));
        Ok(Self { routes: functions.into_values().flat_map(|f| f.routes).filter_map(split).collect() })
    }

    /// The methods that work on this path, as `Allow` lists them. `OPTIONS` works on every path that exists.
    fn methods(&self, path: &str) -> Vec<&str> {
        let mut methods: Vec<_> =
            self.routes.iter().filter(|(_, t)| matches(t, path)).map(|(m, _)| m.as_str()).collect();
        if !methods.is_empty() {
            methods.push("OPTIONS");
        }
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}

/// Whether API Gateway would route this path to the template. A trailing slash makes another path.
fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || (w.starts_with('{') && is_parameter(g)) => {}
            _ => return false,
        }
    }
}

/// Whether a segment can be the value of a path parameter: gateways decode `%2F`, and then the path is another one.
fn is_parameter(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase();
    !segment.is_empty() && !segment.contains("%2f") && !matches!(segment.as_str(), "." | ".." | "%2e" | "%2e%2e")
}

/// Answers a request that no other route takes.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response, Rejection> {
    let methods = deps.methods(request.path());
    let allow = methods.join(", ");
    if request.method() == "OPTIONS" && !methods.is_empty() {
        // Preflights of allowed origins are answered by API Gateway; this is any other `OPTIONS` (RFC 9110 §9.3.7).
        return Ok(Response::no_content().with_header("allow", allow));
    }
    if methods.is_empty() || methods.contains(&request.method()) {
        return Err(Failure::new(Code::NotFound, "No such route; docs/api.md lists them.").into());
    }
    let failure = Failure::new(Code::MethodNotAllowed, format!("This path answers to {allow}."));
    Err(Rejection::from(failure).with_header("allow", allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_names_its_methods_and_an_unknown_one_none() {
        let deps = Deps::from_routes().unwrap();
        for (path, works, fails) in [
            ("/v1/sessions", vec!["DELETE", "GET", "OPTIONS"], vec!["PUT", "PATCH"]),
            ("/v1/sessions/abc", vec!["DELETE", "OPTIONS"], vec!["GET", "HEAD"]),
            ("/v1/sessions/abc/trust", vec!["OPTIONS", "PUT"], vec!["GET"]),
            ("/v1/auth/login", vec!["OPTIONS", "POST"], vec!["GET", "HEAD"]),
            ("/v1/health", vec!["GET", "OPTIONS"], vec!["POST"]),
        ] {
            let methods = deps.methods(path);
            assert!(works.iter().all(|method| methods.contains(method)), "{path}: {methods:?}");
            assert!(!fails.iter().any(|method| methods.contains(method)), "{path}: {methods:?}");
            assert!(methods.is_sorted());
        }
        for path in [
            "/v1/nothing",
            "/",
            "",
            "*",
            "/v1/sessions/",
            "/v1/sessions//",
            "/v1/sessions//trust",
            "/v1//sessions",
            "//v1/sessions",
            "/v1/sessions/abc/",
            "/v1/sessions/abc/trust/",
            "/V1/sessions",
            "/v1/Sessions",
            "/v1/%73essions",
            "/v1/sessions/a%2Fb",
            "/v1/sessions/a%2fb/trust",
            "/v1/sessions/..",
            "/v1/sessions/%2E%2e/trust",
            "/v1/./health",
            "/v1/health?x=1",
            "v1/health",
        ] {
            assert!(deps.methods(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn allow_lists_head_exactly_where_a_route_has_it() {
        let route = |method: &str, path: &str| (method.to_owned(), path.to_owned());
        let routes = vec![route("GET", "/a"), route("HEAD", "/a"), route("GET", "/b"), route("GET", "/a/{id}")];
        let deps = Deps { routes };
        assert_eq!(deps.methods("/a"), ["GET", "HEAD", "OPTIONS"]);
        assert_eq!(deps.methods("/b"), ["GET", "OPTIONS"]);
        assert_eq!(deps.methods("/a/1"), ["GET", "OPTIONS"]);
    }
}
