//! Events and answers of an HTTP API, format 2.0.

use std::collections::BTreeMap;

use openidconnect::url::form_urlencoded;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// A request, as far as the routes read it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub(crate) raw_path: String,
    #[serde(default)]
    pub(crate) raw_query_string: String,
    #[serde(default)]
    pub(crate) cookies: Vec<String>,
    /// The local cloud leaves the cookies in the header `cookie`. API Gateway moves them.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) request_context: Context,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) request_id: String,
    /// The stage is a part of the path, unless it is `$default`.
    pub(crate) stage: String,
    pub(crate) http: Http,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: String,
}

impl Event {
    /// The method and the path without the stage.
    pub(crate) fn route(&self) -> (&str, &str) {
        let stage = self.raw_path.strip_prefix('/').and_then(|path| path.strip_prefix(&self.request_context.stage));
        let path = stage.filter(|rest| rest.starts_with('/')).unwrap_or(&self.raw_path);
        (&self.request_context.http.method, path)
    }

    /// The parameters of the query, each at most once.
    pub(crate) fn parameters(&self) -> Result<BTreeMap<String, String>, Refusal> {
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.raw_query_string.as_bytes()) {
            if found.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::invalid_request("A parameter of the query is repeated."));
            }
        }
        Ok(found)
    }

    /// The values of a cookie.
    pub(crate) fn cookies(&self, name: &str) -> impl Iterator<Item = &str> {
        let in_header = self.headers.get("cookie").into_iter().flat_map(|header| header.split(';'));
        let pairs = self.cookies.iter().map(String::as_str).chain(in_header).filter_map(|pair| pair.split_once('='));
        pairs.filter(move |(found, _)| found.trim() == name).map(|(_, value)| value.trim())
    }
}

/// An answer. No cache keeps it, and no page learns its address from `Referer`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub(crate) status_code: u16,
    pub(crate) headers: BTreeMap<&'static str, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(status_code: u16) -> Self {
        let always =
            [("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff")];
        let headers = always.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self { status_code, headers, cookies: Vec::new(), body: String::new() }
    }

    /// 303 turns every method into GET (RFC 9110 §15.4.4).
    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Self::new(303).header("location", to)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, value.into());
        self
    }

    pub(crate) fn cookies(mut self, cookies: impl IntoIterator<Item = String>) -> Self {
        self.cookies.extend(cookies);
        self
    }

    pub(crate) fn body(mut self, kind: &str, body: String) -> Self {
        self.body = body;
        self.header("content-type", kind)
    }
}
