//! AWS Signature Version 4 with a key that lasts for a day. The SDK derives its key again for every request.
//!
//! Source: "Create a signed AWS API request" (AWS IAM User Guide). The key comes from AWS's own crate.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::generate_signing_key;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs requests of one day (UTC) to one service of one Region, with one set of credentials.
pub(crate) struct SigningKey {
    pub(crate) credentials: Credentials,
    /// Day, Region and service, for example `20150830/us-east-1/execute-api/aws4_request`.
    scope: String,
    /// Has taken the key.
    mac: Hmac<Sha256>,
}

impl SigningKey {
    /// Never `None`, because HMAC takes keys of any length.
    pub(crate) fn new(credentials: &Credentials, region: &str, service: &str, at: SystemTime) -> Option<Self> {
        let key = generate_signing_key(credentials.secret_access_key(), at, region, service);
        let mac = Hmac::new_from_slice(key.as_ref()).ok()?;
        let scope = format!("{}/{region}/{service}/aws4_request", day_of(&date_time(at)));
        Some(Self { credentials: credentials.clone(), scope, mac })
    }

    /// Whether it still is the key, at the time `date_time`.
    pub(crate) fn is_for(&self, credentials: &Credentials, date_time: &str) -> bool {
        self.scope.starts_with(day_of(date_time)) && self.credentials == *credentials
    }

    /// For requests whose `x-amz-date` is `date_time`, and which have these headers. Names are in lower case and in their
    /// order, values without blanks around them.
    pub(crate) fn signer(&self, date_time: &str, headers: &[(&str, &str)]) -> Signer {
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (scope, id) = (&self.scope, self.credentials.access_key_id());
        Signer {
            after_path: format!("\n\n{lines}\n{names}\n"),
            before_digest: format!("{ALGORITHM}\n{date_time}\n{scope}\n"),
            before_signature: format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature="),
            mac: self.mac.clone(),
        }
    }
}

/// Signs requests that differ in method, path and payload only. They have no query.
pub(crate) struct Signer {
    /// Of the canonical request: what comes between path and payload.
    after_path: String,
    /// Of the string to sign: what comes before the digest of the canonical request.
    before_digest: String,
    /// Of the header `authorization`.
    before_signature: String,
    mac: Hmac<Sha256>,
}

impl Signer {
    /// The header `authorization`. `path` is the one that is sent, with every segment encoded once more.
    pub(crate) fn authorization(&self, method: &str, path: &str, payload: &Digest) -> String {
        let mut canonical = Sha256::new();
        for part in [method, "\n", path, &self.after_path] {
            canonical.update(part);
        }
        canonical.update(payload);
        let mut mac = self.mac.clone();
        mac.update(self.before_digest.as_bytes());
        mac.update(&hexadecimal(&canonical.finalize()));
        let mut authorization = String::with_capacity(self.before_signature.len() + size_of::<Digest>());
        authorization.push_str(&self.before_signature);
        HEXLOWER.encode_append(&mac.finalize().into_bytes(), &mut authorization);
        authorization
    }
}

/// A SHA-256 digest in hexadecimal digits.
pub(crate) type Digest = [u8; 64];

/// The digest of a payload.
pub(crate) fn digest(payload: &[u8]) -> Digest {
    hexadecimal(&Sha256::digest(payload))
}

fn hexadecimal(bytes: &[u8]) -> Digest {
    let mut digits = [0; 64];
    HEXLOWER.encode_mut(bytes, &mut digits);
    digits
}

/// The time as signatures write it: `20150830T123600Z`.
pub(crate) fn date_time(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (date, time) = (at.date(), at.time());
    let (year, month, day) = date.to_calendar_date();
    let (hour, minute, second) = time.as_hms();
    format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month))
}

/// The day of such a time, for example `20150830`.
fn day_of(date_time: &str) -> &str {
    date_time.split('T').next().unwrap_or_default()
}

/// Every character except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes one segment of a path.
pub(crate) fn encoded_segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// Encodes the segments of a path.
pub(crate) fn encoded_path(text: &str) -> PercentEncode<'_> {
    const PATH: &AsciiSet = &RESERVED.remove(b'/');
    utf8_percent_encode(text, PATH)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// 2015-08-30T12:36:00Z, the time of every vector.
    fn then() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn signature(credentials: &Credentials, method: &str, path: &str, more: &[(&str, &str)], payload: &str) -> String {
        let mut headers = vec![("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        headers.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        headers.extend(more);
        headers.sort_unstable();
        let key = SigningKey::new(credentials, "us-east-1", "service", then()).unwrap();
        let path = encoded_path(path).to_string();
        let signer = key.signer(&date_time(then()), &headers);
        let authorization = signer.authorization(method, &path, &digest(payload.as_bytes()));
        authorization.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// AWS's own vectors, as far as requests have no query (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4).
    #[test]
    fn the_signatures_are_those_of_awss_test_suite() {
        let credentials = |token: Option<&str>| {
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            Credentials::new("AKIDEXAMPLE", secret, token.map(str::to_owned), None, "test")
        };
        let long = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUu\
                    wthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXA\
                    kiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let short = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let form = [
            ("content-length", "13"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
        ];
        let vectors = [
            (
                "get-vanilla",
                "GET",
                "/",
                None,
                &[][..],
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-utf8",
                "GET",
                "/ሴ",
                None,
                &[],
                "",
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
            (
                "get-space",
                "GET",
                "/example space/",
                None,
                &[],
                "",
                "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
            ),
            (
                "get-unreserved",
                "GET",
                unreserved,
                None,
                &[],
                "",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                None,
                &[],
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-header-key-sort",
                "POST",
                "/",
                None,
                &[("my-header1", "value1")],
                "",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                "post-header-value-case",
                "POST",
                "/",
                None,
                &[("my-header1", "VALUE1")],
                "",
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                "/",
                None,
                &form,
                "Param1=value1",
                "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
            ),
            (
                "get-vanilla-with-session-token",
                "GET",
                "/",
                Some(short),
                &[],
                "",
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
            ),
            (
                "post-sts-header-before",
                "POST",
                "/",
                Some(long),
                &[],
                "",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ];
        for (name, method, path, token, headers, payload, expected) in vectors {
            let mut headers = headers.to_vec();
            headers.extend(token.map(|token| ("x-amz-security-token", token)));
            let found = signature(&credentials(token), method, path, &headers, payload);
            assert_eq!(found, expected, "{name}");
        }
    }

    /// The vector `double-encode-path`, which is a post to a connection.
    #[test]
    fn the_path_of_a_connection_is_encoded_twice() {
        let credentials = Credentials::new("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby", None, None, "test");
        let host = [("host", "tj9n5r0m12.execute-api.us-east-1.amazonaws.com")];
        let path = format!("/test/@connections/{}", encoded_segment("JBDvjfGEIAMCERw="));
        assert_eq!(
            signature(&credentials, "POST", &path, &host, ""),
            "57d157672191bac40bae387e48bbe14b15303c001fdbb01f4abf295dccb09705"
        );
    }

    #[test]
    fn a_key_is_for_one_day_and_one_set_of_credentials() {
        let credentials =
            |secret: &str, token: &str| Credentials::new("id", secret, Some(token.to_owned()), None, "test");
        let key = SigningKey::new(&credentials("a", "t"), "us-east-1", "service", then()).unwrap();
        assert!(key.is_for(&credentials("a", "t"), "20150830T000000Z"));
        assert!(key.is_for(&credentials("a", "t"), "20150830T235959Z"));
        for (secret, token, time) in [
            ("a", "t", "20150831T000000Z"),
            ("a", "t", "20150829T235959Z"),
            ("b", "t", "20150830T123600Z"),
            ("a", "u", "20150830T123600Z"),
        ] {
            assert!(!key.is_for(&credentials(secret, token), time), "{secret} {token} {time}");
        }
    }

    #[test]
    fn a_time_is_written_as_signatures_have_it() {
        let at = |seconds| date_time(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "19700101T000000Z");
        assert_eq!(at(1_440_938_160), "20150830T123600Z");
        assert_eq!(at(1_709_251_199), "20240229T235959Z");
    }
}
