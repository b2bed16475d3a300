//! The client's address behind a content delivery network.
//!
//! `X-Forwarded-For` holds any value that a client writes into it, so it is never read. CloudFront overwrites
//! `CloudFront-Viewer-Address`, but a client that bypasses CloudFront can send that header, too. It counts only
//! together with a secret that CloudFront adds to every request to the origin.

use std::net::{IpAddr, Ipv6Addr};

use holdfast_sessions::{Code, Failure};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::Request;
use crate::config::{ConfigError, Env};

/// What CloudFront sends the secret in.
const SECRET_HEADER: &str = "x-origin-secret";
/// Holds `ip:port`; see <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html>.
const ADDRESS_HEADER: &str = "cloudfront-viewer-address";

/// CloudFront, known by one of its secrets. More than one is valid while a secret is being replaced.
#[derive(Clone, Debug)]
pub(crate) struct Cloudfront {
    digests: Vec<[u8; 32]>,
}

impl Cloudfront {
    /// Reads `TRUSTED_PROXY` (absent or `cloudfront`) and `ORIGIN_SECRET_SHA256` (comma-separated, hexadecimal).
    pub(crate) fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let error = |variable: &str, problem: &str| ConfigError { variable: variable.into(), problem: problem.into() };
        match env.optional("TRUSTED_PROXY") {
            None => return Ok(None),
            Some("cloudfront") => {}
            Some(_) => return Err(error("TRUSTED_PROXY", "must be cloudfront, or not be set")),
        }
        let digests: Option<Vec<_>> = env.list("ORIGIN_SECRET_SHA256").iter().map(|text| digest(text)).collect();
        match digests {
            Some(digests) if !digests.is_empty() => Ok(Some(Self { digests })),
            Some(_) => Err(error("ORIGIN_SECRET_SHA256", "is not set, but TRUSTED_PROXY is")),
            None => Err(error("ORIGIN_SECRET_SHA256", "must be SHA-256 digests of 64 hexadecimal digits each")),
        }
    }

    /// The viewer's address, if the request says one.
    ///
    /// # Errors
    /// Refuses a request that did not come through CloudFront.
    pub(crate) fn viewer(&self, request: &Request) -> Result<Option<String>, Failure> {
        // Services sign their requests for API Gateway's own host name, so these cannot come through CloudFront.
        // API Gateway has authenticated them. A direct invocation has been authorized by IAM as well.
        if request.iam_caller().is_some() || request.is_direct() {
            return Ok(None);
        }
        let shown: [u8; 32] = Sha256::digest(request.header(SECRET_HEADER).unwrap_or_default()).into();
        // All digests are compared, so that the time tells nothing.
        let known = self.digests.iter().fold(Choice::from(0), |known, digest| known | digest.ct_eq(&shown));
        if !bool::from(known) {
            return Err(Failure::new(Code::Forbidden, "Send the request to the public host name of this service."));
        }
        Ok(request.header(ADDRESS_HEADER).and_then(address))
    }
}

/// `203.0.113.7:443`, `2001:db8::7:443` or `[2001:db8::7]:443`.
fn address(text: &str) -> Option<String> {
    let (ip, port) = text.rsplit_once(':')?;
    port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok())??;
    let ip: IpAddr = match ip.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
        None => ip.parse().ok()?,
    };
    // An IPv4 address counts as one however it is written: budgets are kept per network.
    Some(ip.to_canonical().to_string())
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    // SHA-256 of "secret" and of "next".
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn hex(text: &str) -> String {
        Sha256::digest(text).iter().map(|byte| format!("{byte:02X}")).collect()
    }

    fn proxy() -> Cloudfront {
        let both = format!("{SECRET}, {}", hex("next"));
        let env = Env::of([("TRUSTED_PROXY", "cloudfront"), ("ORIGIN_SECRET_SHA256", &both)]);
        Cloudfront::from_env(&env).unwrap().unwrap()
    }

    fn viewer(headers: Value) -> Result<Option<String>, Code> {
        let event = json!({"headers": headers, "requestContext": {"http": {"method": "GET", "sourceIp": "192.0.2.1"}}});
        proxy().viewer(&Request::from_event(&event)).map_err(|failure| failure.code)
    }

    #[test]
    fn the_viewers_address_counts_only_with_a_secret() {
        for secret in ["secret", "next"] {
            let headers = json!({"x-origin-secret": secret, "CloudFront-Viewer-Address": "203.0.113.7:46532"});
            assert_eq!(viewer(headers), Ok(Some("203.0.113.7".to_owned())));
        }
        for secret in ["", "Secret", "secret ", "secret, secret", SECRET] {
            let headers = json!({"x-origin-secret": secret, "cloudfront-viewer-address": "203.0.113.7:1"});
            assert_eq!(viewer(headers), Err(Code::Forbidden), "{secret}");
        }
        assert_eq!(viewer(json!({"cloudfront-viewer-address": "203.0.113.7:1"})), Err(Code::Forbidden));
        let forwarded = json!({"x-origin-secret": "secret", "x-forwarded-for": "6.6.6.6"});
        assert_eq!(viewer(forwarded), Ok(None), "a forwarded address is never read");
    }

    /// A secret may be configured twice while it is replaced, and still counts.
    #[test]
    fn a_digest_that_is_listed_twice_counts() {
        let twice = format!("{SECRET},{SECRET}");
        let env = Env::of([("TRUSTED_PROXY", "cloudfront"), ("ORIGIN_SECRET_SHA256", &twice)]);
        let event = json!({"headers": {"x-origin-secret": "secret", "cloudfront-viewer-address": "203.0.113.7:1"},
            "requestContext": {"http": {"method": "GET", "sourceIp": "192.0.2.1"}}});
        let viewer = Cloudfront::from_env(&env).unwrap().unwrap().viewer(&Request::from_event(&event));
        assert_eq!(viewer.map_err(|failure| failure.code), Ok(Some("203.0.113.7".to_owned())));
    }

    #[test]
    fn addresses_are_read_in_every_form_that_cloudfront_has() {
        for (text, expected) in [
            ("203.0.113.7:46532", Some("203.0.113.7")),
            ("2001:db8:0:0::7:46532", Some("2001:db8::7")),
            ("[2001:db8::7]:46532", Some("2001:db8::7")),
            ("::ffff:203.0.113.7:1", Some("203.0.113.7")),
            ("203.0.113.7", None),
            ("2001:db8::7:99999", None),
            ("203.0.113.7:", None),
            ("203.0.113.7:+1", None),
            (":1", None),
            ("[203.0.113.7]:1", None),
            ("[2001:db8::7:1", None),
            ("host:1", None),
            ("203.0.113.7:1, 6.6.6.6:1", None),
            ("", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn callers_that_iam_knows_need_no_secret() {
        let signed = json!({"headers": {}, "requestContext": {"http": {"method": "POST"},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::1:role/r"}}}});
        assert_eq!(proxy().viewer(&Request::from_event(&signed)), Ok(None));
        assert_eq!(proxy().viewer(&Request::from_event(&json!({}))), Ok(None));
    }

    #[test]
    fn the_proxy_is_off_or_complete() {
        assert!(Cloudfront::from_env(&Env::of([])).unwrap().is_none());
        assert!(Cloudfront::from_env(&Env::of([("ORIGIN_SECRET_SHA256", SECRET)])).unwrap().is_none());
        let error = |variables: &[(&str, &str)]| Cloudfront::from_env(&Env::of(variables.iter().copied())).unwrap_err();
        assert_eq!(error(&[("TRUSTED_PROXY", "nginx")]).variable, "TRUSTED_PROXY");
        assert_eq!(error(&[("TRUSTED_PROXY", "cloudfront")]).variable, "ORIGIN_SECRET_SHA256");
        let longer = format!("{SECRET}ab");
        for digest in [",", "secret", &SECRET[1..], &longer, &format!("{SECRET},x"), &"é".repeat(32)] {
            let error = error(&[("TRUSTED_PROXY", "cloudfront"), ("ORIGIN_SECRET_SHA256", digest)]);
            assert_eq!(error.variable, "ORIGIN_SECRET_SHA256");
            assert!(!error.problem.contains("secret"));
        }
    }
}
