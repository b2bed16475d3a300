//! Answers what no route answers.

use std::collections::BTreeMap;

use holdfast_domain::{Code, Failure};
use holdfast_kit::{ConfigError, Request, Response};
use serde::Deserialize;

/// The one list of routes; Terraform attaches the same.
const FUNCTIONS: &str = include_str!("../../../functions.json");

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    routes: Vec<String>,
}

pub(crate) struct Deps {
    /// Method and path template of every route.
    routes: Vec<(String, String)>,
}

impl Deps {
    pub(crate) fn from_routes() -> Result<Self, ConfigError> {
        let functions: BTreeMap<String, Function> = serde_json::from_str(FUNCTIONS).map_err(|error| ConfigError {
            variable: "services/functions.json".into(),
            problem: format!("is not readable: {error}"),
        })?;
        let split = |route: String| route.split_once(' ').map(|(m, p)| (m.to_owned(), p.to_owned()));
        Ok(Self { routes: functions.into_values().flat_map(|f| f.routes).filter_map(split).collect() })
    }

    /// The methods that exist on this path.
    fn methods(&self, path: &str) -> Vec<&str> {
        let mut methods: Vec<_> =
            self.routes.iter().filter(|(_, t)| matches(t, path)).map(|(m, _)| m.as_str()).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}

fn matches(template: &str, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || (w.starts_with('{') && !g.is_empty()) => {}
            _ => return false,
        }
    }
}

pub(crate) async fn handle(deps: &'static Deps, request: Request) -> Result<Response, Failure> {
    let methods = deps.methods(request.path());
    if methods.is_empty() || methods.contains(&request.method()) {
        return Err(Failure::new(Code::NotFound, "No such route; docs/api.md lists them."));
    }
    let allow = methods.join(", ");
    let failure = Failure::new(Code::MethodNotAllowed, format!("This path answers to {allow}."));
    Ok(Response::problem(&failure, request.id()).with_header("allow", allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_path_names_its_methods_and_an_unknown_one_none() {
        let deps = Deps::from_routes().unwrap();
        assert_eq!(deps.methods("/v1/sessions"), ["DELETE", "GET"]);
        assert_eq!(deps.methods("/v1/sessions/abc"), ["DELETE"]);
        assert_eq!(deps.methods("/v1/sessions/abc/trust"), ["PUT"]);
        assert_eq!(deps.methods("/v1/auth/login"), ["POST"]);
        assert!(deps.methods("/v1/sessions//trust").is_empty());
        assert!(deps.methods("/v1/nothing").is_empty());
        assert!(deps.methods("/").is_empty());
    }
}
