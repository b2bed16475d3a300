//! Finds the access tokens of a request, by the rules of Holdfast's own routes (docs/api.md and docs/sign-in.md).
//!
//! An `Authorization` header counts before cookies and needs no origin. By cookie, a method other than GET, HEAD and OPTIONS
//! needs an `Origin` on the allow-list and `X-Holdfast-CSRF: 1`. A WebSocket handshake by cookie needs an `Origin` on the
//! allow-list.

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, UPGRADE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};

use crate::error::{Error, ErrorKind};
use crate::tokens::is_well_formed;

const ACCESS_COOKIE: &[u8] = b"__Host-holdfast-access";
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-holdfast-csrf");
/// So many cookies of one name are tried. Each costs a call, and a sibling host could plant many.
const MAX_CANDIDATES: usize = 4;

/// The parts of a request that identify its caller.
pub(crate) struct Caller<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    /// A page of another site can open a socket with the user's cookie, and cannot add a header to it.
    is_handshake: bool,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(method: &'a Method, headers: &'a HeaderMap, extensions: &Extensions) -> Self {
        let upgrades = headers.get_all(UPGRADE).iter().any(|value| {
            value.as_bytes().windows(b"websocket".len()).any(|part| part.eq_ignore_ascii_case(b"websocket"))
        });
        Self { method, headers, is_handshake: upgrades || is_connect_event(extensions) }
    }

    /// The tokens to try, in order: that of `Authorization`, else those of the cookie.
    ///
    /// # Errors
    /// Refuses a request by cookie that another site may have caused.
    pub(crate) fn access_tokens(&self, allowed_origins: &[String]) -> Result<Vec<String>, Error> {
        if let Some(authorization) = self.header(&AUTHORIZATION) {
            // Two credentials are none, because no token has a comma.
            return Ok(bearer(&authorization).map(str::to_owned).into_iter().collect());
        }
        let values = self.cookies(ACCESS_COOKIE);
        let mut tokens: Vec<String> =
            values.iter().filter(|value| is_well_formed(value)).take(MAX_CANDIDATES).cloned().collect();
        if tokens.is_empty() {
            tokens.extend(values.into_iter().next());
        }
        if !tokens.is_empty() {
            self.refuse_other_sites(allowed_origins)?;
        }
        Ok(tokens)
    }

    /// The value of a header. Several are one list (RFC 9110 §5.3), as API Gateway joins them.
    fn header(&self, name: &HeaderName) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        (!values.is_empty()).then(|| values.join(&b','))
    }

    /// The distinct values of a cookie, in the order in which they were sent. Only spaces and tabs are trimmed (RFC 6265 §5.2).
    fn cookies(&self, name: &[u8]) -> Vec<String> {
        let mut values = Vec::new();
        for pair in self.headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        {
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let value = trim(&pair[at + 1..]);
            let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
            let value = String::from_utf8_lossy(value).into_owned();
            if trim(&pair[..at]) == name && !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    fn refuse_other_sites(&self, allowed_origins: &[String]) -> Result<(), Error> {
        let refused = |detail| Err(Error::new(ErrorKind::CrossSiteRequest, "FORBIDDEN", detail));
        let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(self.method);
        if !changes && !self.is_handshake {
            return Ok(());
        }
        let origin = self.header(&ORIGIN);
        if changes && (origin.is_none() || self.header(&CSRF_HEADER).as_deref() != Some(b"1")) {
            return refused(
                "With cookies, requests that change something need an allowed `Origin` and `X-Holdfast-CSRF: 1`.",
            );
        }
        match origin {
            None => refused("With cookies, a WebSocket handshake needs an allowed `Origin`."),
            Some(origin) if !allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin) => {
                refused("This `Origin` is not on the allow-list.")
            }
            Some(_) => Ok(()),
        }
    }
}

/// The token of `Bearer <token>` (RFC 6750 §2.1).
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, rest) = trim(value).split_at_checked(b"bearer".len())?;
    let token = std::str::from_utf8(rest.strip_prefix(b" ")?).ok()?.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let is_token =
        !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~+/-".contains(&byte));
    (is_token && scheme.eq_ignore_ascii_case(b"bearer")).then_some(token)
}

fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Whether a function of a WebSocket API was asked at `$connect`, or for another of its routes.
#[cfg(feature = "lambda_http")]
fn is_connect_event(extensions: &Extensions) -> bool {
    use lambda_http::request::RequestContext;
    matches!(extensions.get::<RequestContext>(), Some(RequestContext::WebSocket(_)))
}

#[cfg(not(feature = "lambda_http"))]
fn is_connect_event(_: &Extensions) -> bool {
    false
}
