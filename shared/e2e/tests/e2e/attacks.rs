//! Bytes that no client of ours sends. Odd bytes in headers that no handler needs do not change the answer.

use holdfast_e2e::SignIn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::World;

/// Status and text of the answer to a request that is sent byte by byte: HTTP clients refuse to send these headers.
async fn raw(world: &World, method: &str, path: &str, headers: &[&[u8]], body: &str) -> (u16, String) {
    let url = world.deployment.http_url.strip_prefix("http://").expect("the local cloud speaks HTTP");
    let (host, base) = url.find('/').map_or((url, ""), |at| url.split_at(at));
    let mut request = format!("{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    request.extend_from_slice(length.as_bytes());
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(std::time::Duration::from_secs(30), reading).await.expect("an answer").unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no HTTP answer: {answer}")), answer)
}

const ODD: [&[u8]; 5] = [
    b"X-Odd: a\x01b",
    b"X-Odd: \x7f\x1f",
    b"X-Odd: \xff\xfe\xe9",
    b"Accept-Language: \xc3\x28",
    b"Referer: https://app.example/\xe9?q=\x02",
];

#[tokio::test]
async fn odd_bytes_in_headers_change_nothing() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let bearer = format!("Authorization: Bearer {}", session.access);
    for odd in ODD {
        let (status, answer) = raw(&world, "GET", "/v1/sessions/current", &[bearer.as_bytes(), odd], "").await;
        assert_eq!(status, 200, "{odd:?}: {answer}");
        assert!(answer.contains(&session.session_id), "{odd:?}: {answer}");
        let (status, answer) = raw(&world, "GET", "/v1/sessions/current", &[odd], "").await;
        assert!(status == 401 && answer.contains("UNAUTHENTICATED"), "{odd:?}: {answer}");
        let (status, answer) = raw(&world, "GET", "/v1/health", &[odd], "").await;
        assert_eq!(status, 200, "{odd:?}: {answer}");
    }
    // Only names from a fixed table are kept of a browser's name.
    let body = serde_json::json!({"email": person.email, "password": person.password}).to_string();
    for agent in [&b"User-Agent: \x01\xe9\xff"[..], b"User-Agent: Firefox/1.0 \x02 Linux"] {
        let (status, answer) = raw(&world, "POST", "/v1/auth/login", &[agent], &body).await;
        assert_eq!(status, 200, "{agent:?}: {answer}");
        assert!(answer.contains("AUTHENTICATED") && !answer.contains("\\u00"), "{agent:?}");
    }
}

#[tokio::test]
async fn odd_bytes_in_headers_that_matter_are_refused_and_answered() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let bearer = format!("Authorization: Bearer {}", session.access);
    let path = format!("/v1/sessions/{}/trust", session.session_id);
    let body = r#"{"trusted":true}"#;
    for (headers, status) in [
        (vec![&b"Authorization: Bearer \x01\xe9"[..]], 401),
        (vec![b"Authorization: \xff"], 401),
        (vec![b"Cookie: __Host-holdfast-access=\xe9\x01"], 403),
        (vec![bearer.as_bytes(), b"If-Match: \"1\x01\""], 400),
        (vec![bearer.as_bytes(), b"If-Match: \x7f"], 400),
    ] {
        let (answered, answer) = raw(&world, "PUT", &path, &headers, body).await;
        assert!(answered == status && answer.contains("requestId"), "{status}: {answer}");
    }
    // Nothing has changed.
    let current = world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    assert_eq!((current.at("/trusted"), current.number("/version").unwrap()), (serde_json::json!(false), 1));
}

/// `X-Forwarded-For` and similar headers do not identify a client: attempts are counted by the address that connects.
#[tokio::test]
async fn headers_do_not_make_another_address() {
    let world = World::open().await;
    let person = world.person().await;
    let body = serde_json::json!({"email": person.email, "password": person.password}).to_string();
    let headers: [&[u8]; 4] = [
        b"X-Forwarded-For: 203.0.113.7",
        b"Forwarded: for=203.0.113.7",
        b"X-Real-IP: 203.0.113.7",
        b"CloudFront-Viewer-Address: 203.0.113.7:1",
    ];
    let (status, answer) = raw(&world, "POST", "/v1/auth/login", &headers, &body).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!answer.contains("203.0.113.7") && answer.contains("127.0.0.1"), "the session's address");
    world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap().expect(200).unwrap();
}
