//! Tokens as cookies, for browsers: out of reach of scripts, and useless to other sites.
//!
//! A browser sends a cookie even if another site caused the request. So a request that changes something and is
//! authenticated by a cookie needs two more things: an `Origin` on the allow-list, and a header of its own. Another
//! site cannot make a browser send that header, because it needs a preflight that the allow-list refuses.
//! `SameSite=Strict` is a second line, not the first.

use holdfast_sessions::service::Tokens;
use holdfast_sessions::session::Slot;
use holdfast_sessions::token::{AccessToken, DeviceToken, RefreshToken};
use holdfast_sessions::{Code, Failure, Millis};

use crate::http::{Request, Response};

/// `__Host-`: only over TLS, only to this very host, for all of it.
pub const ACCESS: &str = "__Host-holdfast-access";
/// The cookie of the refresh token; see [`ACCESS`].
pub const REFRESH: &str = "__Host-holdfast-refresh";
/// The token of a trusted device. It outlives the session: see [`ACCESS`].
pub const DEVICE: &str = "__Host-holdfast-device";
/// How many cookies of one name are tried. Each costs a read, and a sibling host could plant many.
pub const MAX_CANDIDATES: usize = 4;
/// What scripts of an allowed origin add to requests that change something.
pub const CSRF_HEADER: &str = "x-holdfast-csrf";

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

fn cookie(name: &str, value: &str, max_age: Option<i64>) -> String {
    match max_age {
        Some(seconds) => format!("{name}={value}; {ATTRIBUTES}; Max-Age={}", seconds.max(0)),
        None => format!("{name}={value}; {ATTRIBUTES}"),
    }
}

/// RFC 6265 §5.2 and RFC 9110 §5.6.3: spaces and tabs only.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

impl Request {
    /// The distinct values of a cookie, in the order in which they were sent.
    ///
    /// A browser may send several cookies of one name: an old one for another path, or one that a sibling host has
    /// planted. Only spaces and tabs are trimmed (RFC 6265 §5.2): with any other white space a name is another name,
    /// which browsers do not protect by its `__Host-` prefix.
    pub fn cookies(&self, name: &str) -> Vec<&str> {
        let mut values = Vec::new();
        let pairs = self.headers("cookie").flat_map(|header| header.split(';')).filter_map(|pair| pair.split_once('='));
        for (found, value) in pairs {
            let value = trim(value);
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if trim(found) == name && !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// A cookie; the first one where there are several.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies(name).first().copied()
    }

    /// The values of a cookie that can be a token: the first [`MAX_CANDIDATES`] that are well-formed, or the first one
    /// if none is.
    fn candidates(&self, name: &str, is_token: impl Fn(&str) -> bool) -> Vec<&str> {
        let mut values = self.cookies(name);
        if values.iter().any(|value| is_token(value)) {
            values.retain(|value| is_token(value));
            values.truncate(MAX_CANDIDATES);
        } else {
            values.truncate(1);
        }
        values
    }

    /// The access tokens that the request presents: the one of `Authorization`, else those of the cookie. The cookie
    /// counts only if no other site can have sent it. The first token that opens a session counts, because a stale
    /// cookie may come before the valid one.
    ///
    /// # Errors
    /// Refuses a request by cookie that another site may have caused.
    pub fn access_tokens(&self) -> Result<Vec<&str>, Failure> {
        if self.header("authorization").is_some() {
            return Ok(self.bearer().into_iter().collect());
        }
        let tokens = self.candidates(ACCESS, |value| AccessToken::parse(value).is_ok());
        if !tokens.is_empty() && !matches!(self.method(), "GET" | "HEAD" | "OPTIONS") {
            self.own_origin()?;
        }
        Ok(tokens)
    }

    /// The first of [`Request::access_tokens`].
    ///
    /// # Errors
    /// As [`Request::access_tokens`].
    pub fn access_token(&self) -> Result<Option<&str>, Failure> {
        self.access_tokens().map(|tokens| tokens.first().copied())
    }

    /// The refresh tokens of the cookie, as [`Request::access_tokens`]. The caller checks [`Request::own_origin`].
    pub fn refresh_cookies(&self) -> Vec<&str> {
        self.candidates(REFRESH, |value| RefreshToken::parse(value).is_ok())
    }

    /// The device token of the cookie.
    pub fn device_cookie(&self) -> Option<&str> {
        self.candidates(DEVICE, |value| DeviceToken::parse(value).is_ok()).first().copied()
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
    /// Sends the tokens as cookies. They outlive the browser only for users who stay signed in.
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

    /// Expires the cookies of the access and the refresh token. The device stays trusted.
    #[must_use]
    pub fn without_tokens(self) -> Self {
        self.with_cookie(cookie(ACCESS, "", Some(0))).with_cookie(cookie(REFRESH, "", Some(0)))
    }

    /// Sends the token of a trusted device as a cookie.
    #[must_use]
    pub fn with_device(self, token: &str, max_age_seconds: i64) -> Self {
        self.with_cookie(cookie(DEVICE, token, Some(max_age_seconds)))
    }

    /// Expires the cookie of a trusted device.
    #[must_use]
    pub fn without_device(self) -> Self {
        self.with_cookie(cookie(DEVICE, "", Some(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_sessions::token::Address;
    use holdfast_sessions::{DeviceId, Secret, SlotNo, UserId};
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
        Request::from_event(&event).allowing(origins.into())
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

    fn access(byte: u8) -> String {
        let at = Address { user: UserId::from_bytes([byte; 16]), slot: SlotNo::new(1).unwrap() };
        AccessToken::of(&RefreshToken::first(at, &Secret::new([1; 32]), &[2; 32])).text()
    }

    #[test]
    fn every_well_formed_cookie_of_the_name_is_a_candidate() {
        let pair = |value: &str| format!("{ACCESS}={value}");
        let (stale, good) = (access(1), access(2));
        let both = request("GET", json!({}), &["a=b", &pair("junk"), &pair(&stale), &pair(&good), &pair(&stale)]);
        assert_eq!(both.access_tokens(), Ok(vec![stale.as_str(), good.as_str()]));
        assert_eq!(both.access_token(), Ok(Some(stale.as_str())));
        // The local cloud has them in one header, API Gateway in a list; both count.
        let joined = format!("{}; {}", pair("junk"), pair(&stale));
        let split = request("GET", json!({"cookie": joined}), &[&pair(&good)]);
        assert_eq!(split.access_tokens(), Ok(vec![stale.as_str(), good.as_str()]));
        let many: Vec<String> = (0..9).map(|byte| pair(&access(byte))).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(request("GET", json!({}), &many).access_tokens().unwrap().len(), MAX_CANDIDATES);
        let unsafe_method = request("POST", json!({}), &[&pair(&good)]);
        assert_eq!(unsafe_method.access_tokens().unwrap_err().code, Code::Forbidden);
    }

    #[test]
    fn refresh_and_device_cookies_are_chosen_the_same_way() {
        let at = Address { user: UserId::from_bytes([1; 16]), slot: SlotNo::new(1).unwrap() };
        let refresh = RefreshToken::first(at, &Secret::new([1; 32]), &[2; 32]).text();
        let cookies = format!("{REFRESH}=junk; {REFRESH}={refresh}; {REFRESH}={}", access(1));
        assert_eq!(request("POST", json!({"cookie": cookies}), &[]).refresh_cookies(), [refresh.as_str()]);
        assert_eq!(request("POST", json!({"cookie": format!("{REFRESH}=junk")}), &[]).refresh_cookies(), ["junk"]);
        let (user, device) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let device = DeviceToken { user, device, secret: Secret::new([3; 32]) }.text();
        let cookies = format!("{DEVICE}=; {DEVICE}={device}");
        assert_eq!(request("POST", json!({"cookie": cookies}), &[]).device_cookie(), Some(device.as_str()));
        assert_eq!(request("POST", json!({}), &[]).device_cookie(), None);
    }

    #[test]
    fn cookies_are_split_as_browsers_join_them() {
        let read = |header: &str| {
            let request = request("GET", json!({"cookie": header}), &[]);
            request.cookies("n").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        for (header, expected) in [
            ("n=1", vec!["1"]),
            (" n = 1 ;n=2;\tn=3", vec!["1", "2", "3"]),
            ("n=1; n=1", vec!["1"]),
            ("n=\"1\"", vec!["1"]),
            ("n=\"", vec!["\""]),
            ("n=\"a; b\"; n=2", vec!["\"a", "2"]),
            ("n=a=b==", vec!["a=b=="]),
            ("n=", vec![""]),
            ("n; ;=; =n; nn=1; N=1", vec![]),
            ("=n=1", vec![]),
            ("n=1,n=2", vec!["1,n=2"]),
            ("\u{1}\u{7f}é; n=é\u{0}", vec!["é\u{0}"]),
            // A browser protects the prefix `__Host-` only at the very beginning of a name.
            ("\u{a0}n=1; \u{2000}n=2; \u{c}n=3; \u{b}n=4; n\u{a0}=5", vec![]),
        ] {
            assert_eq!(read(header), expected, "{header:?}");
        }
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
        let event = serde_json::to_value(response.into_event("r")).unwrap();
        assert_eq!(
            event["cookies"][0],
            "__Host-holdfast-access=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        );
        assert_eq!(event["cookies"].as_array().unwrap().len(), 2, "the device stays trusted");
        let device = Response::json(200, &json!({})).unwrap().with_device("t", 60).without_device();
        let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
        let expected = ["=t", "="].map(|value| format!("{DEVICE}{value}; {attributes}; Max-Age="));
        assert_eq!(device.cookies(), [format!("{}60", expected[0]), format!("{}0", expected[1])]);
    }
}
