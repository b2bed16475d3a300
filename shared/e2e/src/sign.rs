//! AWS Signature Version 4 for requests that no SDK makes.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;

use crate::Fault;

/// Signs for one service in one Region.
#[derive(Clone, Debug)]
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
}

impl Signer {
    /// `service` is the signing name: `execute-api` for a route, `lambda` for the Lambda API.
    pub fn new(credentials: Credentials, region: impl Into<String>, service: &'static str) -> Self {
        Self { credentials, region: region.into(), service }
    }

    /// The headers to add. `url` is the one that is really requested, with any path prefix that it has.
    pub(crate) fn headers(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
        now: SystemTime,
    ) -> Result<Vec<(String, String)>, Fault> {
        let fault = |error: &dyn std::fmt::Display| Fault::new(format!("{method} {url} cannot be signed: {error}"));
        let identity = self.credentials.clone().into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| fault(&error))?;
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request =
            SignableRequest::new(method, url, headers, SignableBody::Bytes(body)).map_err(|error| fault(&error))?;
        let (instructions, _signature) = sign(request, &params.into()).map_err(|error| fault(&error))?.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `get-vanilla` and `post-vanilla` of the AWS SigV4 test suite: 2015-08-30T12:36:00Z.
    fn signature(method: &str) -> String {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let headers = Signer::new(credentials, "us-east-1", "service")
            .headers(method, "https://example.amazonaws.com/", &[], b"", now)
            .unwrap();
        headers.into_iter().find(|(name, _)| name == "authorization").unwrap().1
    }

    #[test]
    fn the_published_vectors_are_met() {
        for (method, expected) in [
            ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ] {
            assert_eq!(
                signature(method),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={expected}"
                )
            );
        }
    }
}
