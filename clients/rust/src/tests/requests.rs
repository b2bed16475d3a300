//! The cases that all kits decide in the same way: clients/interop/requests.json.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;

use super::server::{LIVE, ORIGIN};
use crate::ErrorKind;
use crate::requests::Caller;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cases {
    allowed_origins: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    method: String,
    headers: Vec<(String, String)>,
    allowed_origins: Option<Vec<String>>,
    expected: Value,
}

/// Method and headers, if HTTP knows such ones.
fn read(case: &Case) -> Option<(Method, HeaderMap)> {
    let mut headers = HeaderMap::new();
    for (name, value) in &case.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some((Method::from_bytes(case.method.as_bytes()).ok()?, headers))
}

#[test]
fn every_case_of_the_kits_is_decided_as_they_do() {
    let Cases { allowed_origins, cases } =
        serde_json::from_str(include_str!("../../../interop/requests.json")).unwrap();
    let mut impossible = Vec::new();
    for case in &cases {
        let Some((method, headers)) = read(case) else {
            impossible.push(case.name.as_str());
            continue;
        };
        let origins = case.allowed_origins.as_ref().unwrap_or(&allowed_origins);
        let found = match Caller::new(&method, &headers, &Extensions::new()).access_tokens(origins) {
            Ok(tokens) => tokens.into(),
            Err(error) => {
                assert_eq!((error.kind(), error.code()), (ErrorKind::CrossSiteRequest, "FORBIDDEN"));
                Value::from("refused")
            }
        };
        assert_eq!(found, case.expected, "{}", case.name);
    }
    // `http` has no empty method and no control characters in a header.
    let expected = [
        "other white space belongs to the name",
        "'' by cookie needs an origin and the header",
        "'' by cookie with both",
    ];
    assert_eq!(impossible, expected);
    assert!(cases.len() > 50);
}

#[test]
fn a_name_with_other_white_space_is_another_name() {
    for name in ["\u{a0}__Host-holdfast-access", "__Host-holdfast-access\u{2003}"] {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_bytes(format!("{name}={LIVE}").as_bytes()).unwrap());
        let tokens = Caller::new(&Method::GET, &headers, &Extensions::new()).access_tokens(&[ORIGIN.to_owned()]);
        assert_eq!(tokens.unwrap(), Vec::<String>::new());
    }
}
