//! An API of another system behind `sessions-authorizer`: sessions end while their tokens are used.
//!
//! The API is that of infra/examples/protected-api, with its handler in Python, made by calls instead of Terraform. `make
//! prove` runs it a thousand times, and then with a cache that is frozen, killed, old, or a promoted replica, and without
//! the table.

use std::cell::{Cell, RefCell};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::{join, join_all};
use holdfast_e2e::{Call, Http, Person, Reply, SignIn, SignedIn, Signer, random_text};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::iam::zip;
use crate::world::{World, eventually, redis};

const HANDLER: &str = include_str!("../../../../infra/examples/protected-api/handlers/python/handler.py");
/// Users whose sessions are ended at the same time.
const LANES: usize = 8;
/// The inline policy that takes the table from the authorizer.
const DENIAL: &str = "holdfast-e2e-denial";

/// What requests came to. On a busy machine a function can run out of its time, so some answers are 5xx.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// The number of all requests.
    asked: usize,
    /// Ends that were not answered. They may have had an effect.
    unanswered: usize,
    /// Ends that were answered `immediate`, and the others.
    immediate: usize,
    bounded: usize,
    /// Requests that were sent after an answer `immediate`, and how many of them were accepted.
    after: usize,
    accepted_after: usize,
    /// Requests that were answered before the end of their session was requested.
    accepted_before: usize,
    refused_before: usize,
    /// Answers with an error of the server (5xx).
    errors: usize,
}

impl Tally {
    /// Counts a request: whether it was sent after an immediate end, or answered before the end was requested.
    fn note(&mut self, status: u16, is_after: bool, is_before: bool) {
        self.asked += 1;
        self.after += usize::from(is_after);
        match status {
            200 if is_after => self.accepted_after += 1,
            200 if is_before => self.accepted_before += 1,
            403 if is_before => self.refused_before += 1,
            500.. => self.errors += 1,
            _ => {}
        }
    }
}

struct Protected<'a> {
    world: &'a World,
    http: Http,
    credentials: Credentials,
    function: String,
    role: String,
    id: String,
    url: String,
}

impl<'a> Protected<'a> {
    async fn new(world: &'a World) -> Self {
        let (http, credentials) = (Http::new(), world.deployment.credentials().await.unwrap());
        let name = format!("holdfast-e2e-{}", random_text());
        let mut made = Self {
            world,
            http,
            credentials,
            function: name.clone(),
            role: String::new(),
            id: String::new(),
            url: String::new(),
        };
        let authorizer = world.deployment.authorizer.clone().expect("outputs.json names the authorizer");
        let path = format!("/2015-03-31/functions/{}/configuration", authorizer.name);
        let role = made.aws("lambda", Call::new("GET", path)).await.text("/Role").unwrap();
        made.role = role.rsplit('/').next().unwrap().to_owned();
        let body = json!({"FunctionName": name, "Runtime": "python3.12", "Handler": "handler.handle", "Role": role,
            "Code": {"ZipFile": STANDARD.encode(zip("handler.py", HANDLER.as_bytes()))}, "Timeout": 10});
        let created = made.aws("lambda", Call::new("POST", "/2015-03-31/functions").json(&body)).await;
        assert_eq!(created.status, 201, "{}", created.fault(201));
        let arn = created.text("/FunctionArn").unwrap();

        made.id = made.create("/v2/apis", &json!({"name": name, "protocolType": "HTTP"}), "/apiId").await;
        let of_api = |part: &str| format!("/v2/apis/{}/{part}", made.id);
        let uri = format!(
            "arn:aws:apigateway:{}:lambda:path/2015-03-31/functions/{arn}/invocations",
            world.deployment.region
        );
        let integration = json!({"integrationType": "AWS_PROXY", "integrationUri": uri, "payloadFormatVersion": "2.0"});
        let integration = made.create(&of_api("integrations"), &integration, "/integrationId").await;
        // As the module session-authorizer attaches it.
        let authorizer = json!({"name": name, "authorizerType": "REQUEST", "authorizerUri": authorizer.invoke_arn,
            "authorizerPayloadFormatVersion": "2.0", "enableSimpleResponses": true, "identitySource": [],
            "authorizerResultTtlInSeconds": 0});
        let authorizer = made.create(&of_api("authorizers"), &authorizer, "/authorizerId").await;
        let route = json!({"routeKey": "GET /v1/python", "target": format!("integrations/{integration}"),
            "authorizationType": "CUSTOM", "authorizerId": authorizer});
        made.create(&of_api("routes"), &route, "/routeId").await;
        made.create(&of_api("stages"), &json!({"stageName": "$default", "autoDeploy": true}), "/stageName").await;
        let endpoint = world.deployment.aws_endpoint_url.as_deref().unwrap();
        made.url = format!("{endpoint}/_aws/execute-api/{}", made.id);
        made
    }

    async fn aws(&self, service: &'static str, call: Call) -> Reply {
        let base = self.world.deployment.aws_endpoint_url.as_deref().unwrap();
        let signer = Signer::new(self.credentials.clone(), &self.world.deployment.region, service);
        self.http.send(base, call, Some(&signer)).await.unwrap()
    }

    async fn create(&self, path: &str, body: &Value, id: &str) -> String {
        let created = self.aws("apigateway", Call::new("POST", path).json(body)).await;
        assert_eq!(created.status, 201, "{}", created.fault(201));
        created.text(id).unwrap()
    }

    /// Puts or deletes the policy that denies the authorizer every call to DynamoDB.
    async fn deny_the_table(&self, denied: bool) {
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"dynamodb:*","Resource":"*"}]}"#;
        let mut body = format!("Version=2010-05-08&RoleName={}&PolicyName={DENIAL}&Action=", self.role);
        body.push_str(if denied { "PutRolePolicy&PolicyDocument=" } else { "DeleteRolePolicy" });
        if denied {
            body.extend(policy.bytes().map(|byte| format!("%{byte:02X}")));
        }
        let call = Call { body: body.into_bytes(), ..Call::new("POST", "/") };
        let reply = self.aws("iam", call.header("content-type", "application/x-www-form-urlencoded")).await;
        assert_eq!(reply.status, 200, "{}", reply.fault(200));
    }

    async fn remove(&self) {
        let deleted = self.aws("apigateway", Call::new("DELETE", format!("/v2/apis/{}", self.id))).await;
        assert_eq!(deleted.status, 204, "{}", deleted.fault(204));
        let deleted = self.aws("lambda", Call::new("DELETE", format!("/2015-03-31/functions/{}", self.function))).await;
        assert_eq!(deleted.status, 204, "{}", deleted.fault(204));
        // Lambda made it, and leaves it behind.
        let call = Call::new("POST", "/")
            .header("x-amz-target", "Logs_20140328.DeleteLogGroup")
            .header("content-type", "application/x-amz-json-1.1");
        let body = json!({"logGroupName": format!("/aws/lambda/{}", self.function)}).to_string().into_bytes();
        self.aws("logs", Call { body, ..call }).await;
    }

    /// The status of a request with this token. An accepted caller is the user of the session.
    async fn ask(&self, session: &SignedIn) -> u16 {
        let reply =
            self.http.send(&self.url, Call::new("GET", "/v1/python").bearer(&session.access), None).await.unwrap();
        match reply.status {
            200 => assert_eq!(reply.at("/userId"), session.user_id.as_str(), "another user was accepted"),
            403 | 500..=599 => {}
            _ => panic!("{}", reply.fault("200, 403 or 5xx")),
        }
        reply.status
    }

    /// Waits until a session is accepted, or refused.
    async fn until(&self, session: &SignedIn, status: u16) {
        eventually("the protected API to answer as before", async || (self.ask(session).await == status).then_some(()))
            .await;
    }

    /// Signs in, if need be at another try.
    async fn sign_in(&self, person: &Person) -> SignedIn {
        eventually("a sign-in", async || {
            let how = SignIn::default();
            let reply = self.world.api.login(&person.email, &person.password, &how).await.unwrap();
            (reply.status < 500).then(|| SignedIn::from_reply(&reply.expect(200).unwrap()).unwrap())
        })
        .await
    }

    /// Ends a session. Returns whether the answer was `immediate`, or nothing without an answer.
    async fn end(&self, session: &SignedIn) -> Option<bool> {
        let reply = self.world.api.log_out(&session.access).await.unwrap();
        (reply.status < 500).then(|| reply.expect(200).unwrap().at("/effective") == "immediate")
    }

    /// Asks until a live session is accepted. It is never refused.
    async fn until_accepted(&self, session: &SignedIn) {
        eventually("a live session to be accepted", async || {
            let status = self.ask(session).await;
            assert_ne!(status, 403, "a live session was refused");
            (status == 200).then_some(())
        })
        .await;
    }

    /// Uses a session all the time, ends it meanwhile, and sends some more requests.
    async fn end_one(&self, person: &Person, tally: &RefCell<Tally>) {
        let session = self.sign_in(person).await;
        let (requested, answered, asked) = (Cell::new(false), Cell::new(false), Cell::new(0));
        let asker = async {
            while asked.get() < 6 || !requested.get() {
                // A request that is sent now is sent after the answer.
                let is_after = answered.get();
                let status = self.ask(&session).await;
                tally.borrow_mut().note(status, is_after, !requested.get());
                asked.set(asked.get() + 1);
            }
        };
        let end = async {
            while asked.get() < 2 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            requested.set(true);
            let is_immediate = self.end(&session).await;
            asked.set(2);
            answered.set(is_immediate == Some(true));
            let mut tally = tally.borrow_mut();
            match is_immediate {
                Some(true) => tally.immediate += 1,
                Some(false) => tally.bounded += 1,
                None => tally.unanswered += 1,
            }
        };
        join(asker, end).await;
    }

    /// Ends so many sessions, some at the same time.
    async fn end_many(&self, people: &[Person], count: usize) -> Tally {
        let tally = RefCell::new(Tally::default());
        let left = Cell::new(count);
        let lanes = people.iter().map(async |person| {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                self.end_one(person, &tally).await;
                if rest > 0 && rest.is_multiple_of(100) {
                    eprintln!("  {} of {count} ends", count - rest);
                }
            }
        });
        join_all(lanes).await;
        tally.into_inner()
    }

    /// Signs in and uses each session.
    async fn used(&self, people: &[Person]) -> Vec<SignedIn> {
        let mut sessions = Vec::new();
        for person in people {
            let session = self.sign_in(person).await;
            self.until_accepted(&session).await;
            sessions.push(session);
        }
        sessions
    }

    /// Signs in and asks until a copy of each session is in the cache. Every process of a function finds out for itself
    /// that the server is back.
    async fn cached(&self, people: &[Person], url: &str) -> Vec<SignedIn> {
        eventually("an end to be immediate again", async || {
            let session = self.sign_in(&people[0]).await;
            self.end(&session).await.filter(|is_immediate| *is_immediate).map(drop)
        })
        .await;
        assert_eq!(redis(url, "FLUSHALL").await, "+OK");
        let sessions = self.used(people).await;
        eventually("a copy of each session in the cache", async || {
            for session in &sessions {
                self.until_accepted(session).await;
            }
            (keys(url).await >= sessions.len()).then_some(())
        })
        .await;
        sessions
    }

    /// Ends sessions. Returns those whose end was answered `immediate`.
    async fn end_all(&self, sessions: Vec<SignedIn>) -> Vec<SignedIn> {
        let mut ended = Vec::new();
        for session in sessions {
            if self.end(&session).await == Some(true) {
                ended.push(session);
            }
        }
        assert!(ended.len() * 2 > LANES, "hardly any end was immediate");
        ended
    }

    /// How many requests with these tokens are accepted.
    async fn accepted(&self, sessions: &[SignedIn]) -> usize {
        let mut accepted = 0;
        for _ in 0..3 {
            for session in sessions {
                accepted += usize::from(self.ask(session).await == 200);
            }
        }
        accepted
    }
}

/// Registers one after the other, because the first requests of a function wait for its start.
async fn people(world: &World) -> Vec<Person> {
    let mut people = Vec::new();
    for _ in 0..LANES {
        people.push(world.person().await);
    }
    people
}

/// Whether at most one request in twenty failed: a cache that fails is no failure of a request.
fn has_few_errors(tally: &Tally) -> bool {
    tally.errors * 20 <= tally.asked
}

/// How many keys a server has.
async fn keys(url: &str) -> usize {
    redis(url, "DBSIZE").await.trim_start_matches(':').parse().unwrap()
}

/// Checks that no caller is accepted after an immediate end, and none is refused before.
fn judge(what: &str, tally: &Tally) {
    assert_eq!(tally.accepted_after, 0, "{what}: accepted after an end that was answered immediate: {tally:?}");
    assert_eq!(tally.refused_before, 0, "{what}: a live session was refused: {tally:?}");
    assert!(tally.immediate == 0 || tally.after > 0, "{what}: nobody asked after an end: {tally:?}");
}

#[tokio::test]
async fn a_protected_api_accepts_no_caller_after_an_immediate_end() {
    let world = World::open().await;
    let api = Protected::new(&world).await;
    let tally = api.end_many(&people(&world).await, 3 * LANES).await;
    api.remove().await;
    judge("a protected API", &tally);
    assert!(tally.immediate > 0 && tally.accepted_before > 0, "{tally:?}");
    assert!(has_few_errors(&tally), "{tally:?}");
}

#[tokio::test]
#[ignore = "a thousand sign-ins, and it stops the cache server; `make prove` runs it on a cloud of its own"]
async fn a_protected_api_with_failures_of_cache_and_table() {
    let count: usize = std::env::var("HOLDFAST_HTTP_REVOCATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let world = World::open().await;
    let (api, people) = (Protected::new(&world).await, people(&world).await);
    let began = Instant::now();
    let calm = api.end_many(&people, count).await;
    judge("without a fault", &calm);
    assert!(calm.immediate * 20 > count * 19 && has_few_errors(&calm), "{calm:?}");
    let took = began.elapsed();

    // The table denies the authorizer every read. Copies in the cache may still accept live sessions.
    let lives = api.used(&people).await;
    api.deny_the_table(true).await;
    let stranger = api.sign_in(&people[0]).await;
    let denied = 10;
    for _ in 0..denied {
        let status = api.ask(&stranger).await;
        assert!(status >= 500, "a table that denies is neither a pass nor signed out: {status}");
    }
    for session in &lives {
        assert_ne!(api.ask(session).await, 403, "a live session was refused without the table");
    }
    let lives = api.end_all(lives).await;
    assert_eq!(api.accepted(&lives).await, 0, "an ended session was accepted without the table");
    let without_table = api.end_many(&people, (count / 20).max(LANES)).await;
    judge("without the table", &without_table);
    assert!(without_table.errors > 0, "nobody noticed: {without_table:?}");
    api.deny_the_table(false).await;
    api.until(&stranger, 200).await;

    let mut cache = String::from("no cache server");
    if let Some(url) = &world.deployment.redis_url {
        cache = cache_in_trouble(&api, &people, url, (count / 20).max(LANES)).await;
    }
    api.remove().await;
    eprintln!(
        "{count} ends behind a protected API in {} s: {} requests after the answer immediate, 0 accepted, {} live ones accepted, 0 \
         refused; without the table {denied} of {denied} were 5xx; {cache}",
        took.as_secs(),
        calm.after,
        calm.accepted_before,
    );
}

/// A server on the port of the cache that this test has started. Dropping it ends it.
struct Server(Child);

impl Server {
    fn start(port: u16, folder: &str, arguments: &[&str]) -> Self {
        let port = port.to_string();
        let fixed = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
        let child = Command::new("redis-server")
            .args(fixed)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The rest of the first line of an answer that starts so.
async fn told(url: &str, command: &str, start: &str) -> String {
    let address = url.trim_start_matches("redis://").split('/').next().unwrap_or_default();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let line = answer.lines().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("{command} says nothing of {start}: {answer}")).trim().to_owned()
}

fn signal(signal: &str, process: &str) {
    assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
}

async fn listening(url: &str) {
    let address = url.trim_start_matches("redis://").split('/').next().unwrap_or_default().to_owned();
    eventually("a redis-server to listen", async || {
        tokio::net::TcpStream::connect(&address).await.ok()?;
        (redis(url, "PING").await == "+PONG").then_some(())
    })
    .await;
}

async fn cache_in_trouble(api: &Protected<'_>, people: &[Person], url: &str, count: usize) -> String {
    let port: u16 = url.trim_end_matches("/0").rsplit(':').next().and_then(|port| port.parse().ok()).unwrap();
    let process = told(url, "INFO server", "process_id:").await;
    // The last line of the answer has the folder of its snapshots.
    let of_primary = told(url, "CONFIG GET dir", "/").await;
    let of_primary = format!("/{of_primary}");
    let folder = std::env::temp_dir().join(format!("holdfast-e2e-{}", random_text()));
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.to_str().unwrap();

    signal("-STOP", &process);
    let frozen = api.end_many(people, count).await;
    signal("-CONT", &process);
    judge("with a frozen cache", &frozen);
    assert!(has_few_errors(&frozen), "{frozen:?}");

    // The snapshot has copies of sessions that end after it.
    listening(url).await;
    let old = api.cached(people, url).await;
    assert_eq!(redis(url, "SAVE").await, "+OK");
    let old = api.end_all(old).await;
    signal("-KILL", &process);
    let killed = api.end_many(people, count).await;
    judge("without a cache", &killed);
    assert!(has_few_errors(&killed), "{killed:?}");
    let restarted = Server::start(port, &of_primary, &["--repl-diskless-sync-delay", "0"]);
    listening(url).await;
    assert!(keys(url).await >= old.len(), "the snapshot has the copies");
    assert_eq!(api.accepted(&old).await, 0, "accepted by an old snapshot");
    let after = api.end_many(people, count).await;
    judge("with an old snapshot", &after);

    // A replica that misses the deletes is promoted, and takes the place of the primary.
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let replica = Server::start(other, folder, &["--replicaof", &format!("127.0.0.1 {port}")]);
    let replica_url = format!("redis://127.0.0.1:{other}/0");
    listening(&replica_url).await;
    let old = api.cached(people, url).await;
    eventually("the replica to have the copies", async || (keys(&replica_url).await == keys(url).await).then_some(()))
        .await;
    signal("-STOP", &replica.0.id().to_string());
    assert_eq!(redis(url, "CLIENT KILL TYPE REPLICA").await, ":1");
    let old = api.end_all(old).await;
    drop(restarted);
    signal("-CONT", &replica.0.id().to_string());
    assert_eq!(redis(&replica_url, "REPLICAOF NO ONE").await, "+OK");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let forward = tokio::spawn(async move {
        while let Ok((mut one, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(mut two) = tokio::net::TcpStream::connect(("127.0.0.1", other)).await {
                    let _ = tokio::io::copy_bidirectional(&mut one, &mut two).await;
                }
            });
        }
    });
    assert!(keys(&replica_url).await >= old.len(), "the promoted server missed the deletes");
    assert_eq!(api.accepted(&old).await, 0, "accepted by a promoted replica");
    let promoted = api.end_many(people, count).await;
    judge("with a promoted replica", &promoted);
    forward.abort();
    drop(replica);
    std::fs::remove_dir_all(folder).unwrap();
    let all = [&frozen, &killed, &after, &promoted];
    format!(
        "{} ends with the cache frozen, killed, restored and promoted ({} immediate): 0 of {} later requests accepted, 0 refused",
        all.iter().map(|tally| tally.immediate + tally.bounded).sum::<usize>(),
        all.iter().map(|tally| tally.immediate).sum::<usize>(),
        all.iter().map(|tally| tally.after).sum::<usize>()
    )
}
