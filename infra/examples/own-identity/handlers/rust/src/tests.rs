//! The sign-in against a provider and a Lambda service of the test's own: real HTTP, and a clock of the test.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use openidconnect::http::{Request, Response};
use openidconnect::url::{Url, form_urlencoded};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{Context, Http};
use crate::{Answer, App, Event, Settings, cookie};

/// When the tests happen.
const NOW: u64 = 1_795_860_000;
const SECRET_ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";
const CONFIDENTIAL: [(&str, &str); 1] = [("CLIENT_SECRET_ARN", SECRET_ARN)];
const ACCESS: &str = "__Host-holdfast-access=hf1.secret; Path=/; Secure; HttpOnly; SameSite=Strict";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW + seconds)
}

fn key() -> Ed25519KeyPair {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()
}

/// What the server says to each path, and what it was asked.
struct State {
    url: String,
    key: Ed25519KeyPair,
    /// The provider publishes the key with this id, and signs with the other.
    published: String,
    kid: String,
    algorithm: &'static str,
    /// The claims that differ from those of a good token.
    claims: Value,
    /// Answers of paths that differ from the good ones: status and body.
    answers: BTreeMap<&'static str, (u16, Value)>,
    asked: Vec<(String, String)>,
    /// The header `Authorization` of each request.
    authorizations: Vec<(String, String)>,
    nonce: String,
    /// What Secrets Manager holds.
    secret: &'static str,
    /// The provider accepts a client with this secret alone; none for a public client.
    accepted: Option<&'static str>,
    /// What it says to another client.
    refusal: &'static str,
}

impl State {
    fn token(&self) -> String {
        let mut claims = json!({
            "iss": self.url, "aud": "shop", "sub": "ada", "exp": NOW + 600, "iat": NOW, "auth_time": NOW - 60,
            "nonce": self.nonce, "email": "ada@example.com", "name": "Ada",
        });
        claims.as_object_mut().unwrap().extend(self.claims.as_object().unwrap().clone());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": self.algorithm, "kid": self.kid})), part(&claims));
        let signature = match self.algorithm {
            "none" => Vec::new(),
            "HS256" => {
                let shared = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
                hmac::sign(&shared, text.as_bytes()).as_ref().to_vec()
            }
            _ => self.key.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether the last request was that of the client with this secret (RFC 6749 §2.3.1).
    fn has_shown(&self, secret: &str) -> bool {
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let in_header = format!("Basic {}", STANDARD.encode(format!("shop:{encoded}")));
        let in_body = format!("client_secret={encoded}");
        self.authorizations.last().is_some_and(|(_, header)| *header == in_header)
            || self.asked.last().is_some_and(|(_, body)| body.contains(&in_body))
    }

    fn answer(&self, path: &str) -> (u16, Value) {
        if let Some(answer) = self.answers.get(path) {
            return answer.clone();
        }
        let key = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        match path {
            "/.well-known/openid-configuration" => (
                200,
                json!({
                    "issuer": self.url, "authorization_endpoint": format!("{}/authorize", self.url),
                    "token_endpoint": format!("{}/token", self.url), "jwks_uri": format!("{}/keys", self.url),
                    "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    // What a provider lists decides nothing.
                    "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "HS256", "none"],
                }),
            ),
            "/keys" => (
                200,
                json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.published, "x": key}]}),
            ),
            "/token" if self.accepted.is_some_and(|secret| !self.has_shown(secret)) => {
                (401, json!({"error": self.refusal}))
            }
            // The only path of Secrets Manager.
            "/" => (200, json!({"ARN": SECRET_ARN, "SecretString": format!("{}\n", self.secret)})),
            "/token" => {
                (200, json!({"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": self.token()}))
            }
            "/2015-03-31/functions/create/invocations" => {
                let session = json!({
                    "sessionId": "s1", "userId": "u1", "email": "ada@example.com", "claims": {}, "mfaVerified": false,
                    "trusted": false, "authenticatedAt": "2026-11-28T10:00:00Z", "expiresAt": "2026-11-28T11:00:00Z",
                });
                let body = json!({"status": "AUTHENTICATED", "session": session, "tokens": null}).to_string();
                (200, json!({"statusCode": 201, "headers": {}, "cookies": [ACCESS], "body": body}))
            }
            other => panic!("{other} was asked"),
        }
    }
}

struct World {
    state: Arc<Mutex<State>>,
    app: App,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The sign-in with other values of some variables.
    async fn with(variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            key: key(),
            published: "1".into(),
            kid: "1".into(),
            algorithm: "EdDSA",
            claims: json!({}),
            answers: BTreeMap::new(),
            asked: Vec::new(),
            authorizations: Vec::new(),
            secret: "s3cret & more",
            refusal: "invalid_client",
            accepted: None,
            nonce: String::new(),
        }));
        let of_server = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = of_server.clone();
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let state = state.clone();
                    async move {
                        let path = request.uri().path().to_owned();
                        let header =
                            request.headers().get("authorization").map(|header| header.to_str().unwrap().to_owned());
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let mut state = state.lock().unwrap();
                        state.asked.push((path.clone(), String::from_utf8(body.to_vec()).unwrap()));
                        state.authorizations.push((path.clone(), header.unwrap_or_default()));
                        let (status, body) = state.answer(&path);
                        let mut answer = Response::new(Full::<Bytes>::from(Bytes::from(body.to_string())));
                        *answer.status_mut() = status.try_into().unwrap();
                        answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        let provider = SharedCredentialsProvider::new(Credentials::new("a", "s", None, None, "test"));
        let config = SdkConfig::builder().region(Region::new("us-east-1")).credentials_provider(provider);
        let app = App::new(settings(&url, variables).unwrap(), &config.endpoint_url(&url).build()).unwrap();
        Self { state, app }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|(asked, _)| asked == path).map(|(_, body)| body.clone()).collect()
    }

    fn authorizations(&self, path: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.authorizations.iter().filter(|(asked, _)| asked == path).map(|(_, header)| header.clone()).collect()
    }

    fn invocations(&self) -> Vec<Value> {
        let bodies = self.asked("/2015-03-31/functions/create/invocations");
        bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    async fn get(&self, path: &str, query: &str, cookies: &[&str], seconds: u64) -> Answer {
        self.app.handle(&event("GET", path, query, cookies), at(seconds)).await
    }

    /// Begins a sign-in: the parameters for the provider, and the cookie.
    async fn begin(&self, query: &str) -> (BTreeMap<String, String>, String) {
        let answer = self.get("/login", query, &[], 0).await;
        assert_eq!(answer.status_code, 303, "{}", answer.body);
        let to = Url::parse(&answer.headers["location"]).unwrap();
        let sent: BTreeMap<_, _> = to.query_pairs().into_owned().collect();
        self.set(|state| state.nonce = sent["nonce"].clone());
        (sent, answer.cookies[0].split(';').next().unwrap().to_owned())
    }

    /// A whole sign-in.
    async fn sign_in(&self) -> Answer {
        self.sign_in_at(1).await
    }

    async fn sign_in_at(&self, seconds: u64) -> Answer {
        let (sent, cookie) = self.begin("").await;
        self.get("/callback", &query(&[("code", "c"), ("state", &sent["state"])]), &[&cookie], seconds).await
    }
}

fn settings(url: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let good = [
        ("ISSUER_URL", url),
        ("CLIENT_ID", "shop"),
        ("PUBLIC_URL", "https://api.example.com/"),
        ("TRANSPORT", "cookie"),
        ("APP_URL", "https://app.example.com/home"),
        ("MAX_AGE_SECONDS", "3600"),
        ("CREATE_SESSION_FUNCTION", "create"),
    ];
    Settings::read(|name| {
        let mut all = good.iter().chain(variables).rev();
        all.find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
    })
}

fn event(method: &str, path: &str, query: &str, cookies: &[&str]) -> Event {
    let http = Http { method: method.into(), source_ip: "192.0.2.1".into(), user_agent: "Firefox".into() };
    Event {
        raw_path: path.into(),
        raw_query_string: query.into(),
        cookies: cookies.iter().map(|cookie| (*cookie).to_owned()).collect(),
        headers: BTreeMap::new(),
        request_context: Context { request_id: "q1".into(), stage: "$default".into(), http },
    }
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The status and the code of a refusal.
fn refused(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.headers["cache-control"], "no-store");
    (answer.status_code, body["code"].as_str().unwrap().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_sign_in_goes_to_the_provider_with_state_nonce_and_pkce() {
    let world = World::new().await;
    let answer = world.get("/login", "", &[], 0).await;
    let (sent, _) = world.begin("").await;
    assert_eq!((sent["client_id"].as_str(), sent["response_type"].as_str()), ("shop", "code"));
    assert_eq!(sent["redirect_uri"], "https://api.example.com/callback");
    assert_eq!((sent["code_challenge_method"].as_str(), sent["max_age"].as_str()), ("S256", "3600"));
    assert_eq!(sent["scope"], "openid email profile");
    let flags = "; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax";
    assert!(answer.cookies[0].starts_with("__Host-own-identity=") && answer.cookies[0].ends_with(flags));
    assert_eq!(
        (answer.headers["cache-control"].as_str(), answer.headers["referrer-policy"].as_str()),
        ("no-store", "no-referrer")
    );
    assert_eq!(world.asked("/keys").len(), 1, "what the provider publishes is kept");
}

#[tokio::test]
async fn the_code_becomes_a_session_of_the_issuer_and_the_subject() {
    let world = World::new().await;
    let (sent, cookie) = world.begin("").await;
    let parameters = query(&[("code", "c"), ("state", &sent["state"]), ("session_state", "x")]);
    let answer = world.get("/callback", &parameters, &["other=1", &cookie], 1).await;
    assert_eq!((answer.status_code, answer.headers["location"].as_str()), (303, "https://app.example.com/home"));
    assert_eq!(answer.cookies, [ACCESS.to_owned(), cookie::remove()]);
    let exchanged: BTreeMap<_, _> = form_urlencoded::parse(world.asked("/token")[0].as_bytes()).into_owned().collect();
    let challenge = digest::digest(&digest::SHA256, exchanged["code_verifier"].as_bytes());
    assert_eq!(sent["code_challenge"], URL_SAFE_NO_PAD.encode(challenge));
    assert!(!cookie.contains(&exchanged["code_verifier"]) && !cookie.contains(&sent["nonce"]));
    let issuer = world.state.lock().unwrap().url.clone();
    assert_eq!(
        world.invocations(),
        [json!({
            "identity": {"provider": issuer, "subject": "ada"}, "email": "ada@example.com", "claims": {"name": "Ada"},
            "authenticatedAt": "2026-11-28T09:59:00Z", "client": {"ip": "192.0.2.1", "userAgent": "Firefox"}, "transport": "cookie",
        })]
    );
}

#[tokio::test]
async fn tokens_in_the_body_are_no_redirect() {
    let world = World::with(&[("TRANSPORT", "body")]).await;
    let answer = world.sign_in().await;
    assert_eq!((answer.status_code, answer.headers["content-type"].as_str()), (200, "application/json"));
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["session"]["userId"], "u1");
    assert_eq!(answer.cookies, [cookie::remove()]);
}

#[tokio::test]
async fn only_the_browser_that_began_a_sign_in_ends_it_and_in_time() {
    let world = World::new().await;
    let ((second, _), (first, cookie)) = (world.begin("").await, world.begin("").await);
    let parameters = |state: &str| query(&[("code", "c"), ("state", state)]);
    let cut = &cookie[..cookie.len() - 1];
    for (given, cookies, seconds) in [
        (parameters(&first["state"]), vec![], 1),
        (parameters(&second["state"]), vec![cookie.as_str()], 1),
        (parameters(""), vec![cookie.as_str()], 1),
        (query(&[("code", "c")]), vec![cookie.as_str()], 1),
        (parameters(&first["state"]), vec![cut], 1),
        (parameters(&first["state"]), vec!["__Host-own-identity="], 1),
        (parameters(&first["state"]), vec![cookie.as_str()], 600),
    ] {
        let answer = world.get("/callback", &given, &cookies, seconds).await;
        assert_eq!(refused(&answer), is(400, "SIGN_IN_EXPIRED"), "{given} {cookies:?} {seconds}");
        assert!(answer.cookies.is_empty(), "a link on another site ends no sign-in");
    }
    assert!(world.asked("/token").is_empty() && world.invocations().is_empty());
    assert_eq!(world.get("/callback", &parameters(&first["state"]), &[&cookie], 599).await.status_code, 303);
}

#[tokio::test]
async fn a_cookie_of_another_provider_is_not_opened() {
    let (world, other) = (World::new().await, World::new().await);
    let (sent, cookie) = other.begin("").await;
    let answer = world.get("/callback", &query(&[("code", "c"), ("state", &sent["state"])]), &[&cookie], 1).await;
    assert_eq!(refused(&answer), is(400, "SIGN_IN_EXPIRED"));
}

#[tokio::test]
async fn an_id_token_that_does_not_count_makes_no_session() {
    let world = World::new().await;
    for claims in [
        json!({"iss": "https://other.example.com"}),
        json!({"aud": "other"}),
        json!({"aud": ["shop", "other"]}),
        json!({"nonce": "other"}),
        json!({"nonce": null}),
        json!({"exp": NOW}),
        json!({"auth_time": NOW - 4_000}),
        json!({"auth_time": NOW + 100}),
    ] {
        world.set(|state| state.claims = claims.clone());
        let answer = world.sign_in().await;
        assert_eq!(refused(&answer), is(403, "SIGN_IN_REFUSED"), "{claims}");
        assert_eq!(answer.cookies, [cookie::remove()]);
    }
    world.set(|state| state.claims = json!({}));
    for algorithm in ["none", "HS256", "RS256"] {
        world.set(|state| state.algorithm = algorithm);
        assert_eq!(refused(&world.sign_in().await), is(403, "SIGN_IN_REFUSED"), "{algorithm}");
    }
    world.set(|state| (state.algorithm, state.key) = ("EdDSA", key()));
    assert_eq!(refused(&world.sign_in().await), is(403, "SIGN_IN_REFUSED"), "another key of the same name");
    world.set(|state| {
        state.answers.insert("/token", (200, json!({"access_token": "at", "token_type": "Bearer"})));
    });
    assert_eq!(refused(&world.sign_in().await), is(403, "SIGN_IN_REFUSED"), "no ID token");
    assert!(world.invocations().is_empty());
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_read_at_most_once_a_minute() {
    let world = World::new().await;
    assert_eq!(world.sign_in().await.status_code, 303);
    world.set(|state| (state.kid, state.published) = ("2".into(), "2".into()));
    assert_eq!(refused(&world.sign_in().await), is(403, "SIGN_IN_REFUSED"));
    assert_eq!(world.asked("/keys").len(), 1);
    let (sent, cookie) = world.begin("").await;
    let parameters = query(&[("code", "c"), ("state", &sent["state"])]);
    assert_eq!(world.get("/callback", &parameters, &[&cookie], 60).await.status_code, 303);
    assert_eq!(world.asked("/keys").len(), 2);
}

#[tokio::test]
async fn without_a_time_of_authentication_the_session_is_never_recent_and_mfa_counts_only_if_stated() {
    let world = World::new().await;
    for (claims, at, second_factor) in [
        (json!({"auth_time": null}), "1970-01-01T00:00:00Z", Value::Null),
        (json!({"amr": ["pwd", "mfa"]}), "2026-11-28T09:59:00Z", json!(true)),
        (json!({"amr": ["pwd"]}), "2026-11-28T09:59:00Z", Value::Null),
    ] {
        world.set(|state| state.claims = claims);
        assert_eq!(world.sign_in().await.status_code, 303);
        let request = world.invocations().pop().unwrap();
        assert_eq!((request["authenticatedAt"].as_str().unwrap(), &request["mfaVerified"]), (at, &second_factor));
    }
}

#[tokio::test]
async fn an_error_of_the_provider_makes_no_session() {
    let world = World::new().await;
    for (error, expected) in [
        ("access_denied", is(403, "SIGN_IN_REFUSED")),
        ("<script>", is(403, "SIGN_IN_REFUSED")),
        ("temporarily_unavailable", is(503, "UNAVAILABLE")),
        ("invalid_scope", is(500, "INTERNAL")),
    ] {
        let (sent, cookie) = world.begin("").await;
        let parameters = query(&[("error", error), ("state", &sent["state"]), ("code", "c")]);
        let answer = world.get("/callback", &parameters, &[&cookie], 1).await;
        assert_eq!((refused(&answer), &answer.cookies), (expected, &vec![cookie::remove()]));
        assert!(!answer.body.contains(error));
    }
    let (sent, cookie) = world.begin("").await;
    let mixed = query(&[("code", "c"), ("state", &sent["state"]), ("iss", "https://other.example.com")]);
    assert_eq!(refused(&world.get("/callback", &mixed, &[&cookie], 1).await), is(403, "SIGN_IN_REFUSED"));
    let neither = query(&[("state", &sent["state"])]);
    assert_eq!(refused(&world.get("/callback", &neither, &[&cookie], 1).await), is(400, "INVALID_REQUEST"));
    assert!(world.asked("/token").is_empty() && world.invocations().is_empty());
}

#[tokio::test]
async fn trouble_of_the_provider_is_never_a_session() {
    for (path, answer, expected) in [
        ("/token", (400, json!({"error": "invalid_grant"})), is(400, "SIGN_IN_EXPIRED")),
        ("/token", (401, json!({"error": "invalid_client"})), is(500, "INTERNAL")),
        ("/token", (500, json!({"error": "invalid_grant"})), is(503, "UNAVAILABLE")),
        ("/token", (429, json!({})), is(503, "UNAVAILABLE")),
        ("/token", (200, json!("x".repeat(300_000))), is(503, "UNAVAILABLE")),
        ("/token", (200, json!({"id_token": 1})), is(503, "UNAVAILABLE")),
        ("/token", (302, json!({})), is(503, "UNAVAILABLE")),
    ] {
        let world = World::new().await;
        world.set(|state| {
            state.answers.insert(path, answer.clone());
        });
        assert_eq!(refused(&world.sign_in().await), expected, "{answer:?}");
        assert_eq!((world.asked("/token").len(), world.invocations().len()), (1, 0));
    }
    for (path, answer, expected) in [
        ("/.well-known/openid-configuration", (503, json!({})), is(503, "UNAVAILABLE")),
        ("/.well-known/openid-configuration", (200, json!({})), is(503, "UNAVAILABLE")),
        ("/keys", (500, json!({})), is(503, "UNAVAILABLE")),
    ] {
        let world = World::new().await;
        world.set(|state| {
            state.answers.insert(path, answer);
        });
        let answer = world.get("/login", "", &[], 0).await;
        assert_eq!((refused(&answer), answer.headers["retry-after"].as_str()), (expected, "5"));
        assert!(answer.cookies.is_empty());
        world.set(|state| state.answers.clear());
        assert_eq!(world.sign_in().await.status_code, 303, "trouble is not kept");
    }
}

#[tokio::test]
async fn a_session_that_holdfast_does_not_make_is_no_sign_in() {
    const CREATE: &str = "/2015-03-31/functions/create/invocations";
    let world = World::new().await;
    let said = |status: u16, code: &str| json!({"statusCode": status, "headers": {}, "body": json!({"code": code}).to_string()});
    for (answer, expected) in [
        ((200, said(403, "ACCOUNT_DISABLED")), is(403, "ACCOUNT_DISABLED")),
        ((200, said(400, "INVALID_REQUEST")), is(500, "INTERNAL")),
        ((200, said(503, "UNAVAILABLE")), is(503, "UNAVAILABLE")),
        ((200, json!({"errorType": "Timeout"})), is(503, "UNAVAILABLE")),
        ((403, json!({"Message": "No."})), is(500, "INTERNAL")),
        ((500, json!({"Message": "No."})), is(503, "UNAVAILABLE")),
    ] {
        world.set(|state| {
            state.answers.insert(CREATE, answer.clone());
            state.asked.clear();
        });
        let answered = world.sign_in().await;
        assert_eq!((refused(&answered), &answered.cookies), (expected, &vec![cookie::remove()]), "{answer:?}");
        assert_eq!(world.invocations().len(), 1);
    }
}

#[tokio::test]
async fn a_confidential_client_shows_its_secret_to_the_token_endpoint_alone() {
    let world = World::with(&CONFIDENTIAL).await;
    world.set(|state| state.accepted = Some("s3cret & more"));
    let (sent, _) = world.begin("").await;
    assert!(!sent.values().any(|value| value.contains("s3cret")), "{sent:?}");
    let answer = world.sign_in().await;
    assert_eq!(answer.status_code, 303, "{}", answer.body);
    assert_eq!(world.authorizations("/token"), [format!("Basic {}", STANDARD.encode("shop:s3cret+%26+more"))]);
    let known = |path: &str| world.asked(path).iter().any(|body| body.contains("s3cret"));
    assert!(!known("/token") && !known("/2015-03-31/functions/create/invocations"));
    let request: Value = serde_json::from_str(&world.asked("/")[0]).unwrap();
    assert_eq!(request, json!({"SecretId": SECRET_ARN}));
    let signature = &world.authorizations("/")[0];
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=a/"), "{signature}");
    assert!(signature.contains("/eu-west-1/secretsmanager/aws4_request"), "the Region of the secret: {signature}");
    // It is kept for five minutes.
    for (seconds, reads) in [(300, 1), (301, 2)] {
        assert_eq!(world.sign_in_at(seconds).await.status_code, 303);
        assert_eq!(world.asked("/").len(), reads);
    }
    // A public client reads none.
    let public = World::new().await;
    assert_eq!(public.sign_in().await.status_code, 303);
    assert!(public.asked("/").is_empty());
}

#[tokio::test]
async fn a_provider_that_takes_no_basic_authentication_gets_the_secret_in_the_body() {
    let world = World::with(&CONFIDENTIAL).await;
    let mut published = world.state.lock().unwrap().answer("/.well-known/openid-configuration");
    published.1["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt", "client_secret_post"]);
    world.set(|state| {
        state.answers.insert("/.well-known/openid-configuration", published);
        state.accepted = Some("s3cret & more");
    });
    assert_eq!(world.sign_in().await.status_code, 303);
    assert_eq!(world.authorizations("/token"), [""]);
    assert!(world.asked("/token")[0].contains("client_secret=s3cret+%26+more"));
}

#[tokio::test]
async fn a_rotated_client_secret_is_read_again_and_the_sign_in_continues() {
    let world = World::with(&CONFIDENTIAL).await;
    world.set(|state| state.accepted = Some("s3cret & more"));
    assert_eq!(world.sign_in().await.status_code, 303);
    world.set(|state| (state.secret, state.accepted) = ("rotated", Some("rotated")));
    // Some providers call it `unauthorized_client`. At most once a minute, because strangers can cause it.
    world.set(|state| state.refusal = "unauthorized_client");
    let answer = world.sign_in_at(60).await;
    assert_eq!((refused(&answer), world.asked("/").len()), (is(500, "INTERNAL"), 1));
    assert_eq!(world.sign_in_at(61).await.status_code, 303);
    assert_eq!((world.asked("/").len(), world.asked("/token").len()), (2, 4));
    // The secret is the newest, and still wrong: a repetition would not help.
    world.set(|state| state.accepted = Some("another"));
    assert_eq!(refused(&world.sign_in_at(200).await), is(500, "INTERNAL"));
    assert_eq!((world.asked("/").len(), world.asked("/token").len()), (3, 5));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_again_stays_and_is_asked_for_every_five_seconds() {
    let world = World::with(&CONFIDENTIAL).await;
    let throttled = (400, json!({"__type": "ThrottlingException"}));
    world.set(|state| {
        state.accepted = Some("s3cret & more");
        state.answers.insert("/", throttled.clone());
    });
    // Strangers can cause a read with each request.
    for (seconds, reads) in [(1, 1), (2, 1), (5, 1), (6, 2)] {
        assert_eq!(refused(&world.sign_in_at(seconds).await), is(503, "UNAVAILABLE"));
        assert_eq!(world.asked("/").len(), reads, "{seconds} s");
    }
    world.set(|state| drop(state.answers.remove("/")));
    assert_eq!(world.sign_in_at(20).await.status_code, 303);
    // Secrets Manager is in trouble when the secret is five minutes old: the provider decides whether it counts.
    world.set(|state| drop(state.answers.insert("/", throttled)));
    assert_eq!(world.sign_in_at(400).await.status_code, 303);
}

#[tokio::test]
async fn an_id_token_that_is_signed_with_the_client_secret_does_not_count() {
    let world = World::with(&CONFIDENTIAL).await;
    world.set(|state| state.algorithm = "HS256");
    assert_eq!(refused(&world.sign_in().await), is(403, "SIGN_IN_REFUSED"));
}

#[tokio::test]
async fn without_its_secret_a_confidential_client_makes_no_session() {
    let error = |kind: &str| json!({"__type": kind, "Message": "s3cret"});
    for (answer, expected) in [
        ((400, error("AccessDeniedException")), is(500, "INTERNAL")),
        ((400, error("ResourceNotFoundException")), is(500, "INTERNAL")),
        ((400, error("ThrottlingException")), is(503, "UNAVAILABLE")),
        ((500, error("InternalServiceError")), is(503, "UNAVAILABLE")),
        ((200, json!({"SecretString": "\n"})), is(500, "INTERNAL")),
        ((200, json!({"SecretBinary": "eA=="})), is(500, "INTERNAL")),
        ((200, json!("s3cret")), is(503, "UNAVAILABLE")),
    ] {
        let world = World::with(&CONFIDENTIAL).await;
        world.set(|state| {
            state.answers.insert("/", answer.clone());
        });
        let answered = world.sign_in().await;
        assert_eq!(refused(&answered), expected, "{answer:?}");
        assert!(!answered.body.contains("s3cret"));
        assert!(world.asked("/token").is_empty() && world.invocations().is_empty());
    }
}

#[tokio::test]
async fn the_local_cloud_sends_the_cookies_in_a_header() {
    let world = World::new().await;
    let (sent, cookie) = world.begin("").await;
    let mut event = event("GET", "/callback", &query(&[("code", "c"), ("state", &sent["state"])]), &[]);
    event.headers.insert("cookie".into(), format!("other=1; {cookie}"));
    assert_eq!(world.app.handle(&event, at(1)).await.status_code, 303);
}

#[tokio::test]
async fn a_sign_in_leads_to_no_other_site() {
    let world = World::new().await;
    for path in [
        "https://evil.example.com",
        "//evil.example.com",
        "/\\evil.example.com",
        "\\/evil",
        "x",
        "",
        "/a\tb",
        "/ä",
        &"/x".repeat(300),
    ] {
        let answer = world.get("/login", &query(&[("return_to", path)]), &[], 0).await;
        assert_eq!(refused(&answer), is(400, "INVALID_REQUEST"), "{path:?}");
    }
    let (sent, cookie) = world.begin(&query(&[("return_to", "/orders?id=7#x")])).await;
    let answer = world.get("/callback", &query(&[("code", "c"), ("state", &sent["state"])]), &[&cookie], 1).await;
    assert_eq!(answer.headers["location"], "https://app.example.com/orders?id=7#x");
    for given in ["other=1", "return_to=/a&return_to=/b"] {
        assert_eq!(refused(&world.get("/login", given, &[], 0).await), is(400, "INVALID_REQUEST"));
    }
    let twice = query(&[("code", "c"), ("state", &sent["state"]), ("state", "x")]);
    assert_eq!(refused(&world.get("/callback", &twice, &[&cookie], 1).await), is(400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn other_routes_do_not_exist_and_a_stage_is_no_part_of_a_route() {
    let world = World::new().await;
    for (method, path) in [("POST", "/login"), ("GET", "/"), ("GET", "/logins")] {
        assert_eq!(refused(&world.app.handle(&event(method, path, "", &[]), at(0)).await), is(404, "NOT_FOUND"));
    }
    let mut staged = event("GET", "/test/login", "", &[]);
    staged.request_context.stage = "test".into();
    assert_eq!(world.app.handle(&staged, at(0)).await.status_code, 303);
}

#[test]
fn a_wrong_configuration_names_its_variable_and_not_its_value() {
    assert!(settings("https://id.example.com", &[]).is_ok());
    for (name, value) in [
        ("ISSUER_URL", ""),
        ("ISSUER_URL", "http://the-value.example.com"),
        ("CLIENT_ID", ""),
        ("CLIENT_SECRET_ARN", "the-value"),
        ("CLIENT_SECRET_ARN", "arn:aws:ssm:us-east-1:123456789012:parameter/the-value"),
        ("PUBLIC_URL", "the-value"),
        ("APP_URL", "https://user:the-value@app.example.com"),
        ("APP_URL", "https://app.example.com/?the-value"),
        ("TRANSPORT", "the-value"),
        ("MAX_AGE_SECONDS", "0"),
        ("MAX_AGE_SECONDS", "the-value"),
        ("CREATE_SESSION_FUNCTION", ""),
    ] {
        let error = settings("https://id.example.com", &[(name, value)]).unwrap_err();
        assert!(error.starts_with(name) && !error.contains("the-value"), "{name}: {error}");
    }
}
