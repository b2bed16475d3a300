//! Tokens as cookies, for browsers: out of reach of scripts, and useless to other sites.
//!
//! A cookie is sent by the browser whoever caused the request, so a request that changes something and is authenticated
//! by one must also show what another site cannot make a browser send: an `Origin` on the allow-list and a header of its
//! own, which needs a preflight that the allow-list refuses. `SameSite=Strict` is a second line, not the first.

use holdfast_domain::service::Tokens;
use holdfast_domain::session::Slot;
use holdfast_domain::{Code, Failure, Millis};

use crate::http::{Request, Response};

/// `__Host-`: only over TLS, only to this very host, for all of it.
pub const ACCESS: &str = "__Host-holdfast-access";
/// See [`ACCESS`].
pub const REFRESH: &str = "__Host-holdfast-refresh";
/// What scripts of an allowed origin add to requests that change something.
pub const CSRF_HEADER: &str = "x-holdfast-csrf";

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

fn cookie(name: &str, value: &str, max_age: Option<i64>) -> String {
    match max_age {
        Some(seconds) => format!("{name}={value}; {ATTRIBUTES}; Max-Age={}", seconds.max(0)),
        None => format!("{name}={value}; {ATTRIBUTES}"),
    }
}

impl Request {
    /// A cookie. The first one counts, as in every browser's `document.cookie`.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.header("cookie")?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The access token: of `Authorization`, else of the cookie, which counts only where no other site can have sent it.
    pub fn access_token(&self) -> Result<Option<&str>, Failure> {
        if self.header("authorization").is_some() {
            return Ok(self.bearer());
        }
        let Some(token) = self.cookie(ACCESS) else { return Ok(None) };
        if !matches!(self.method(), "GET" | "HEAD" | "OPTIONS") {
            self.own_origin()?;
        }
        Ok(Some(token))
    }

    /// Refuses a request that another site may have caused.
    pub fn own_origin(&self) -> Result<(), Failure> {
        if self.header("origin").is_none() || self.header(CSRF_HEADER) != Some("1") {
            return Err(Failure::new(
                Code::Forbidden,
                "With cookies, requests that change something need an allowed `Origin` and `X-Holdfast-CSRF: 1`.",
            ));
        }
        self.no_foreign_origin()
    }

    /// Refuses a request whose `Origin` is not on the allow-list; without one, it is not a browser's.
    pub fn no_foreign_origin(&self) -> Result<(), Failure> {
        match self.header("origin") {
            Some(origin) if !self.origins().iter().any(|allowed| allowed == origin) => {
                Err(Failure::new(Code::Forbidden, "This `Origin` is not on the allow-list."))
            }
            _ => Ok(()),
        }
    }
}

impl Response {
    /// Hands the tokens over as cookies. They outlive the browser only for those who stay signed in.
    #[must_use]
    pub fn with_tokens(self, slot: &Slot, tokens: &Tokens, now: Millis) -> Self {
        let left = |until: Millis| slot.stay_signed_in.then(|| (until.get() - now.get()) / 1000);
        let access_until = slot.keys.as_ref().map_or(slot.idle_expires_at, |keys| keys.access_expires_at);
        self.with_cookie(cookie(ACCESS, &tokens.access.text(), left(access_until))).with_cookie(cookie(
            REFRESH,
            &tokens.refresh.text(),
            left(slot.idle_expires_at),
        ))
    }

    /// Takes them back.
    #[must_use]
    pub fn without_tokens(self) -> Self {
        self.with_cookie(cookie(ACCESS, "", Some(0))).with_cookie(cookie(REFRESH, "", Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(method: &str, headers: Value, cookies: &[&str]) -> Request {
        let event = json!({
            "version": "2.0", "routeKey": "x", "rawPath": "/", "headers": headers, "cookies": cookies,
            "requestContext": {
                "accountId": "1", "apiId": "a", "stage": "$default", "requestId": "r-1", "time": "", "timeEpoch": 0,
                "http": {"method": method, "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"}
            },
            "isBase64Encoded": false
        });
        let origins = ["https://app.example.com".to_owned()];
        Request::from_event(serde_json::from_value(event).unwrap()).allowing(origins.into())
    }

    const OWN: &str = "https://app.example.com";

    #[test]
    fn cookies_are_read_from_both_places() {
        let there = request("GET", json!({}), &["a=b", "__Host-holdfast-access=t1"]);
        assert_eq!(there.access_token(), Ok(Some("t1")));
        let here = request("GET", json!({"cookie": "x=y; __Host-holdfast-access=t2; z="}), &[]);
        assert_eq!(here.access_token(), Ok(Some("t2")));
        assert_eq!(request("GET", json!({}), &[]).access_token(), Ok(None));
        assert_eq!(request("GET", json!({"cookie": "holdfast-access=t"}), &[]).access_token(), Ok(None));
    }

    #[test]
    fn a_header_goes_before_a_cookie_and_needs_no_origin() {
        let both = request("POST", json!({"authorization": "Bearer t1"}), &["__Host-holdfast-access=t2"]);
        assert_eq!(both.access_token(), Ok(Some("t1")));
        let broken = request("POST", json!({"authorization": "Basic x"}), &["__Host-holdfast-access=t2"]);
        assert_eq!(broken.access_token(), Ok(None), "a bad header is not made up for by a cookie");
    }

    #[test]
    fn what_changes_something_needs_an_own_origin_and_the_header() {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            for (headers, good) in [
                (json!({}), false),
                (json!({"origin": OWN}), false),
                (json!({"x-holdfast-csrf": "1"}), false),
                (json!({"origin": OWN, "x-holdfast-csrf": "0"}), false),
                (json!({"origin": "https://app.example.com.evil.example", "x-holdfast-csrf": "1"}), false),
                (json!({"origin": "null", "x-holdfast-csrf": "1"}), false),
                (json!({"origin": OWN, "x-holdfast-csrf": "1"}), true),
            ] {
                let request = request(method, headers.clone(), &["__Host-holdfast-access=t"]);
                let answer = request.access_token().map_err(|f| f.code);
                assert_eq!(answer, if good { Ok(Some("t")) } else { Err(Code::Forbidden) }, "{method} {headers}");
            }
        }
    }

    #[test]
    fn without_an_allow_list_no_origin_is_allowed() {
        let open = request("POST", json!({"origin": OWN, "x-holdfast-csrf": "1"}), &[]).allowing([].into());
        assert!(open.own_origin().is_err() && open.no_foreign_origin().is_err());
    }

    #[test]
    fn a_cookie_says_who_may_have_it() {
        let response = Response::json(200, &json!({})).unwrap().without_tokens();
        let event = response.into_event("r");
        assert_eq!(
            event["cookies"][0],
            "__Host-holdfast-access=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        );
        assert_eq!(event["cookies"].as_array().unwrap().len(), 2);
    }
}
