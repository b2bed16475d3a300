//! The signature that a request must have, computed again from what arrived.

use std::fmt::Write as _;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::server::*;
use crate::signing::region_of;
use crate::{Holdfast, Message};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The names of the signed headers, the signature that arrived, and the one that belongs to the request (Signature Version 4).
fn signature_of(seen: &Seen, region: &str, canonical_path: &str) -> (String, String, String) {
    signature_for("execute-api", seen, region, canonical_path)
}

/// The same for another service.
pub(super) fn signature_for(
    service: &str,
    seen: &Seen,
    region: &str,
    canonical_path: &str,
) -> (String, String, String) {
    let header = |name: &str| seen.headers[name].to_str().unwrap();
    let (authorization, date) = (header("authorization"), header("x-amz-date"));
    let scope = format!("{}/{region}/{service}/aws4_request", &date[..8]);
    let rest = authorization.strip_prefix(&format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders="));
    let (names, given) = rest.unwrap_or_else(|| panic!("{authorization}")).split_once(", Signature=").unwrap();
    let headers: String = names.split(';').map(|name| format!("{name}:{}\n", header(name))).collect();
    let canonical =
        format!("POST\n{canonical_path}\n{}\n{headers}\n{names}\n{}", seen.query, hex(&Sha256::digest(&seen.body)));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let first = hmac(format!("AWS4{SECRET_KEY}").as_bytes(), &date[..8]);
    let key = [region, service, "aws4_request"].iter().fold(first, |key, part| hmac(&key, part));
    (names.to_owned(), given.to_owned(), hex(&hmac(&key, &text)))
}

#[tokio::test]
async fn it_covers_host_date_and_body() {
    let (server, _, client) = start().await;
    client.verify(LIVE).await.unwrap();
    let mut seen = server.requests().remove(0);
    let (names, given, computed) = signature_of(&seen, REGION, "/v1/sessions/introspect");
    assert_eq!(names, "accept;content-type;host;x-amz-date;x-amz-security-token");
    assert_eq!(given, computed);
    assert_eq!(seen.headers["x-amz-security-token"], SECURITY_TOKEN);
    assert_eq!(seen.headers["user-agent"], concat!("holdfast-rust/", env!("CARGO_PKG_VERSION")));
    seen.body = "{}".into();
    let (_, given, computed) = signature_of(&seen, REGION, "/v1/sessions/introspect");
    assert_ne!(given, computed);
}

#[tokio::test]
async fn a_stage_in_the_address_is_part_of_it() {
    let (server, timing, _) = start().await;
    let client = builder(&format!("{}/_aws/execute-api/a1/$default/", server.url), &timing).build().unwrap();
    client.publish(Message::broadcast("note")).await.unwrap();
    let seen = server.requests().remove(0);
    assert_eq!(seen.path, "/_aws/execute-api/a1/$default/v1/messages");
    let (_, given, computed) = signature_of(&seen, REGION, "/_aws/execute-api/a1/%24default/v1/messages");
    assert_eq!(given, computed);
}

#[tokio::test]
async fn every_attempt_is_signed_anew() {
    let (server, _, client) = start().await;
    server.will([busy().header("retry-after", "1")]);
    client.verify(LIVE).await.unwrap();
    let dates: Vec<_> = server.requests().iter().map(|seen| seen.headers["x-amz-date"].clone()).collect();
    assert_eq!(dates, ["20261128T100000Z", "20261128T100001Z"]);
    for seen in server.requests() {
        let (_, given, computed) = signature_of(&seen, REGION, "/v1/sessions/introspect");
        assert_eq!(given, computed);
    }
}

#[tokio::test]
async fn credentials_and_region_come_from_an_aws_configuration() {
    let (server, ..) = start().await;
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test");
    let config = SdkConfig::builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new("sa-east-1"))
        .build();
    Holdfast::new(&server.url, &config).unwrap().verify(LIVE).await.unwrap();
    let (names, given, computed) = signature_of(&server.requests()[0], "sa-east-1", "/v1/sessions/introspect");
    assert_eq!((names.as_str(), given), ("accept;content-type;host;x-amz-date", computed));
    let client = Holdfast::from_config(&server.url, &config).region("us-west-2").build().unwrap();
    client.verify(LIVE).await.unwrap();
    let (_, given, computed) = signature_of(&server.requests()[1], "us-west-2", "/v1/sessions/introspect");
    assert_eq!(given, computed);
}

#[test]
fn the_default_host_name_of_an_api_names_its_region() {
    assert_eq!(region_of("a1b2c3.execute-api.ap-south-1.amazonaws.com"), Some("ap-south-1"));
    assert_eq!(region_of("a1b2c3.execute-api.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
    for host in [
        "api.example.com",
        "execute-api.ap-south-1.amazonaws.com",
        "a.execute-api..amazonaws.com",
        "a.execute-api.x.y.amazonaws.com",
        "a.execute-api.x.amazonaws.com.evil.example",
    ] {
        assert_eq!(region_of(host), None, "{host}");
    }
}
