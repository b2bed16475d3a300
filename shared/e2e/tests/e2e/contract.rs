//! What every route does with requests it does not accept.

use holdfast_e2e::{Call, Person, Reply, SignIn, random_text};
use serde_json::{Value, json};

use crate::world::World;

const SESSION: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Every route that wants an access token, with a body it would accept.
fn guarded() -> Vec<Call> {
    vec![
        Call::new("POST", "/v1/auth/logout"),
        Call::new("GET", "/v1/sessions"),
        Call::new("GET", "/v1/sessions/current"),
        Call::new("PUT", format!("/v1/sessions/{SESSION}/trust")).json(&json!({"trusted": true})),
        Call::new("DELETE", format!("/v1/sessions/{SESSION}")),
        Call::new("DELETE", "/v1/sessions?keepCurrent=true"),
        Call::new("POST", "/v1/push/tickets"),
        Call::new("GET", format!("/v1/channels/user:{SESSION}/messages?after=0&epoch=0")),
        Call::new("POST", "/v1/auth/password").json(&json!({"currentPassword": "x", "newPassword": "y"})),
        Call::new("POST", "/v1/auth/reauthenticate").json(&json!({"password": "x"})),
        Call::new("POST", "/v1/auth/mfa/enroll"),
        Call::new("POST", "/v1/auth/mfa/activate").json(&json!({"code": "123456"})),
        Call::new("POST", "/v1/auth/mfa/recovery-codes"),
        Call::new("DELETE", "/v1/auth/mfa").json(&json!({"code": "123456"})),
        Call::new("GET", "/v1/devices"),
        Call::new("DELETE", "/v1/devices"),
        Call::new("DELETE", format!("/v1/devices/{SESSION}")),
    ]
}

async fn send(world: &World, call: Call) -> Reply {
    world.api.send(call).await.unwrap()
}

/// Every call is refused with one of `statuses`, as a problem; all that are not are shown together.
async fn refused(world: &World, calls: impl IntoIterator<Item = Call>, statuses: &[u16]) {
    let mut faults = Vec::new();
    for call in calls {
        let body = String::from_utf8_lossy(&call.body[..call.body.len().min(80)]).into_owned();
        if let Err(fault) = send(world, call).await.expect_any_problem(statuses) {
            faults.push(format!("{fault}; sent {body}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test]
async fn without_a_token_every_guarded_route_is_401() {
    let world = World::open().await;
    refused(&world, guarded(), &[401]).await;
    // RFC 9110 §11.6.1: a 401 says how to do better.
    let reply = send(&world, Call::new("GET", "/v1/sessions/current")).await;
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn what_is_no_access_token_is_401() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let token = session.access.as_str();
    let flipped = if token.ends_with('A') { "B" } else { "A" };
    let wrong_checksum = format!("{}{flipped}", &token[..token.len() - 1]);
    let values = [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer garbage".to_owned(),
        "Bearer hf1.a.b.c.d".to_owned(),
        format!("Bearer {wrong_checksum}"),
        format!("Bearer {}", session.refresh),
        format!("Bearer {token}.more"),
        format!("Basic {token}"),
        token.to_owned(),
    ];
    let calls = values.into_iter().map(|value| Call::new("GET", "/v1/sessions/current").header("authorization", value));
    refused(&world, calls, &[401]).await;
    world.api.current(token).await.unwrap().expect(200).unwrap();
}

#[tokio::test]
async fn unknown_routes_are_404() {
    let world = World::open().await;
    let calls = [
        Call::new("GET", "/v1/nothing"),
        Call::new("POST", "/v1/auth"),
        Call::new("GET", "/v2/sessions"),
        Call::new("GET", "/v1/sessions/current/more"),
        // A trailing slash, another case and an escaped slash make other paths.
        Call::new("GET", "/v1/sessions/"),
        Call::new("PUT", "/v1/sessions/"),
        Call::new("GET", "/V1/sessions"),
        Call::new("GET", "/v1/sessions/a%2Fb"),
    ];
    refused(&world, calls, &[404]).await;
}

#[tokio::test]
async fn wrong_methods_are_405() {
    let world = World::open().await;
    let calls = [
        Call::new("GET", "/v1/auth/login"),
        Call::new("DELETE", "/v1/users"),
        Call::new("PUT", "/v1/sessions"),
        Call::new("POST", "/v1/sessions/current"),
        Call::new("GET", "/v1/messages"),
        Call::new("POST", "/v1/health"),
        Call::new("PATCH", format!("/v1/sessions/{SESSION}/trust")),
    ];
    refused(&world, calls, &[405]).await;
    // RFC 9110 §15.5.6: a 405 lists what the path answers to.
    let reply = send(&world, Call::new("PATCH", "/v1/sessions")).await;
    let allowed: Vec<&str> = reply.header("allow").unwrap_or_default().split(", ").collect();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
        let works = send(&world, Call::new(method, "/v1/sessions")).await.status != 405;
        assert_eq!(allowed.contains(&method), works, "{method}: Allow is {allowed:?}");
    }
    assert!(allowed.contains(&"GET") && allowed.contains(&"DELETE"), "{allowed:?}");
}

#[tokio::test]
async fn queries_that_a_route_does_not_take_are_400() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let calls = [
        ("GET", "/v1/health?details=1"),
        ("GET", "/v1/sessions?limit=5"),
        ("GET", "/v1/sessions/current?x"),
        ("DELETE", "/v1/sessions?keepCurrent=false&keepCurrent=true"),
        ("DELETE", "/v1/sessions?keepCurrent=true&keepCurrent=true"),
        ("DELETE", "/v1/sessions?keepCurrent=false,true"),
        ("DELETE", "/v1/sessions?keepCurrent="),
        ("DELETE", "/v1/sessions?keepCurrent"),
        ("DELETE", "/v1/sessions?keepCurrent[]=true"),
        ("DELETE", "/v1/sessions?KEEPCURRENT=true"),
        ("DELETE", "/v1/sessions?keepCurrent=true&x=1"),
        ("POST", "/v1/auth/logout?all=true"),
        ("POST", "/v1/push/tickets?x=1"),
        ("GET", "/v1/devices?limit=5"),
        ("DELETE", "/v1/devices?all=true"),
        ("GET", "/v1/channels/broadcast/messages?after=0&after=0"),
        ("GET", "/v1/channels/broadcast/messages?order=desc"),
        ("POST", "/v1/auth/mfa/recovery-codes?x"),
    ];
    refused(&world, calls.map(|(method, path)| Call::new(method, path).bearer(&session.access)), &[400]).await;
    world.api.current(&session.access).await.unwrap().expect(200).unwrap();
    // A stranger learns nothing about the form, neither of the query nor of the body.
    refused(&world, calls[1..].iter().map(|(method, path)| Call::new(method, *path)), &[401]).await;
    let guarded = guarded().into_iter().filter(|call| call.method != "GET");
    refused(&world, guarded.map(|call| Call::new(call.method, call.path).raw("{\"x\":")), &[401]).await;
}

#[tokio::test]
async fn bodies_that_are_not_exactly_right_are_400() {
    let world = World::open().await;
    let person = Person::random();
    let (email, password) = (json!(person.email), json!(person.password));
    let bodies = |path: &'static str, bodies: Vec<String>| {
        bodies.into_iter().map(move |body| Call::new("POST", path).raw(body)).collect::<Vec<_>>()
    };
    let login = bodies(
        "/v1/auth/login",
        vec![
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "{}".to_owned(),
            format!(r#"{{"email":{email}}}"#),
            format!(r#"{{"email":{email},"password":12}}"#),
            format!(r#"{{"email":{email},"password":null}}"#),
            format!(r#"{{"email":{email},"password":{password},"admin":true}}"#),
            format!(r#"{{"email":{email},"email":{email},"password":{password}}}"#),
            format!(r#"{{"email":{email},"password":{password},"staySignedIn":"yes"}}"#),
            format!(r#"{{"email":{email},"password":{password},"transport":5}}"#),
            format!(r#"{{"email":{email},"password":"\ud800"}}"#),
            format!(r#"{{"email":{email},"password":{password},"deviceName":{{"a":1,"a":1}}}}"#),
            format!("\u{feff}{{\"email\":{email},\"password\":{password}}}"),
            format!("[{email},{password}]"),
            format!(r#"{{"email":{email},"password":{password}}} trailing"#),
        ],
    );
    let register = bodies(
        "/v1/users",
        vec![
            format!(r#"{{"email":{email},"password":{password},"role":"admin"}}"#),
            format!(r#"{{"email":{email},"password":{password},"password":{password}}}"#),
            format!(r#"{{"password":{password}}}"#),
        ],
    );
    let refresh = bodies("/v1/auth/refresh", vec!["{}".to_owned(), r#"{"refreshToken":"a","x":1}"#.to_owned()]);
    refused(&world, login.into_iter().chain(register).chain(refresh), &[400]).await;
    // None of it registered the user.
    world.api.register(&person).await.unwrap().expect(201).unwrap();
}

#[tokio::test]
async fn guarded_bodies_that_are_not_exactly_right_are_400() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let path = format!("/v1/sessions/{}/trust", session.session_id);
    let calls =
        [r#"{}"#, r#"{"trusted":"true"}"#, r#"{"trusted":true,"trusted":false}"#, r#"{"trusted":true,"x":1}"#, "x"]
            .map(|body| Call::new("PUT", path.clone()).bearer(&session.access).raw(body));
    refused(&world, calls, &[400]).await;
}

#[tokio::test]
async fn a_body_over_16_kib_is_refused() {
    let world = World::open().await;
    let body = json!({"email": Person::random().email, "password": "x".repeat(17 * 1024)});
    let calls = ["/v1/auth/login", "/v1/users", "/v1/auth/refresh"].map(|path| Call::new("POST", path).json(&body));
    refused(&world, calls, &[400, 413]).await;
}

#[tokio::test]
async fn weak_passwords_and_wrong_e_mails_are_400() {
    let world = World::open().await;
    let email = || Person::random().email;
    let good = Person::random().password;
    let cases: Vec<(String, String)> = vec![
        (email(), "x".repeat(11)),
        (email(), "x".repeat(257)),
        (email(), String::new()),
        (String::new(), good.clone()),
        (format!("{}@holdfast.test", "x".repeat(250)), good.clone()),
        (format!("a\u{7}{}", email()), good.clone()),
        (format!("{}\n", email()), good),
    ];
    let calls = cases
        .into_iter()
        .map(|(email, password)| Call::new("POST", "/v1/users").json(&json!({"email": email, "password": password})));
    refused(&world, calls, &[400]).await;
}

#[tokio::test]
async fn the_shortest_and_the_longest_password_work() {
    let world = World::open().await;
    // Twelve characters that are hard to guess, and the longest password.
    for password in ["kx9mq2vl7pzt".to_owned(), random_text().repeat(12)[..256].to_owned()] {
        let person = Person { password, ..Person::random() };
        world.api.register(&person).await.unwrap().expect(201).unwrap();
        world.api.sign_in(&person, "device").await.unwrap();
    }
}

#[tokio::test]
async fn an_e_mail_address_is_registered_once() {
    let world = World::open().await;
    let person = world.person().await;
    let shouted = Person { email: person.email.to_uppercase(), ..Person::random() };
    for again in [Person { email: person.email.clone(), ..Person::random() }, shouted.clone()] {
        world.api.register(&again).await.unwrap().expect_problem(409, "EMAIL_TAKEN").unwrap();
    }
    // The account is the first one's, however the address is written.
    let same = Person { email: shouted.email, password: person.password };
    world.api.sign_in(&same, "device").await.unwrap();
}

#[tokio::test]
async fn of_parallel_registrations_of_one_address_one_succeeds() {
    let world = World::open().await;
    let person = Person::random();
    let answers = futures_util::future::join_all((0..4).map(|_| world.api.register(&person))).await;
    let mut statuses: Vec<u16> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
}

#[tokio::test]
async fn health_names_its_checks() {
    let world = World::open().await;
    let reply = world.api.health().await.unwrap().expect(200).unwrap();
    assert_eq!(reply.at("/status"), "ok");
    reply.text("/version").unwrap();
    assert_eq!(reply.at("/checks/dynamodb/status"), "ok");
    assert!(reply.at("/checks/dynamodb/latencyMs").is_number());
    assert_eq!(reply.at("/checks/cache/provider"), json!(world.deployment.cache_provider));
    assert!(reply.at("/checks/cache/status").is_string());
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    for path in ["/v1/health", "/v1/sessions", "/v1/sessions/current", "/v1/devices", "/v1/channels/broadcast/messages"]
    {
        let reply = send(&world, Call::new("HEAD", path).bearer(&session.access)).await.expect(200).unwrap();
        assert!(reply.body.is_empty(), "{path}: {}", reply.fault("no body"));
        assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{path}");
    }
    let etag = send(&world, Call::new("GET", "/v1/sessions/current").bearer(&session.access)).await;
    let head = send(&world, Call::new("HEAD", "/v1/sessions/current").bearer(&session.access)).await;
    assert_eq!(head.header("etag"), etag.header("etag"));
    let refused = send(&world, Call::new("HEAD", "/v1/sessions/current")).await;
    assert_eq!((refused.status, refused.body.len()), (401, 0));
}

#[tokio::test]
async fn a_value_of_a_wrong_type_names_its_field() {
    let world = World::open().await;
    let (_, session) = world.signed_in().await;
    let email = Person::random().email;
    let login = |field: &str| {
        let body = format!(r#"{{"email":"{email}","password":"hunter2 hunter2",{field}}}"#);
        Call::new("POST", "/v1/auth/login").raw(body)
    };
    let trust = format!("/v1/sessions/{}/trust", session.session_id);
    for (call, field) in [
        (login(r#""transport":5"#), "`transport`"),
        (login(r#""transport":"carrier pigeon""#), "`transport`"),
        (login(r#""staySignedIn":"yes""#), "`staySignedIn`"),
        (login(r#""deviceName":["hunter2"]"#), "`deviceName`"),
        (login(r#""deviceToken":7"#), "`deviceToken`"),
        (login(r#""admin":true"#), "`admin`"),
        (Call::new("PUT", trust).bearer(&session.access).raw(r#"{"trusted":1}"#), "`trusted`"),
        (
            Call::new("POST", "/v1/auth/reauthenticate").bearer(&session.access).raw(r#"{"password":["hunter2"]}"#),
            "`password`",
        ),
    ] {
        let reply = send(&world, call).await.expect_problem(400, "INVALID_REQUEST").unwrap();
        let detail = reply.text("/detail").unwrap();
        assert!(detail.contains(field) && !detail.contains("hunter2"), "{field}: {detail}");
    }
    // `null` is as if left out.
    let nulls = r#""transport":null,"deviceName":null,"deviceToken":null,"staySignedIn":null"#;
    send(&world, login(nulls)).await.expect_problem(401, "INVALID_CREDENTIALS").unwrap();
}

#[tokio::test]
async fn a_foreign_origin_gets_no_cors_headers() {
    let world = World::open().await;
    let reply = send(&world, Call::new("GET", "/v1/health").header("origin", "https://evil.example")).await;
    assert_eq!(reply.header("access-control-allow-origin"), None, "{}", reply.fault("no CORS header"));
}

#[tokio::test]
async fn answers_of_the_api_carry_what_intermediaries_must_know() {
    let world = World::open().await;
    let (person, session) = world.signed_in().await;
    let answers = [
        world.api.login(&person.email, &person.password, &SignIn::default()).await.unwrap(),
        world.api.sessions(&session.access).await.unwrap(),
    ];
    for reply in answers {
        let reply = reply.expect(200).unwrap();
        let media_type = reply.header("content-type").unwrap_or_default();
        assert!(media_type.starts_with("application/json"), "{media_type}");
        assert_ne!(reply.json(), Value::Null);
    }
}
