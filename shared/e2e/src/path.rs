//! The path through the system: from registering to the last socket closed, step by step.

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Api, Call, Deployment, Fault, Handshake, Person, SignIn, SignedIn, Socket, random_text};

/// The user who walks the path.
#[derive(Clone, Debug)]
pub enum Walker {
    /// A new user each time, who registers first.
    Newcomer,
    /// A standing account, for deployments that are closed to registration. All of its sessions are ended.
    Resident(Person),
}

/// How to walk it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The user who walks the path.
    pub walker: Walker,
    /// The deployment's limit of sessions for a user, 2–10: one sign-in more must evict.
    pub max_sessions: usize,
    /// Whether to try a wrong password: a network has 100 of these in 15 minutes.
    pub wrong_password: bool,
}

/// One step that was taken, or left out for a reason.
#[derive(Debug)]
pub struct Step {
    /// What it shows.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Why it was left out.
    pub skipped: Option<&'static str>,
}

/// The step that failed.
pub struct Failure {
    /// The name of the step.
    pub step: &'static str,
    /// What was expected and what came.
    pub fault: Fault,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step \"{}\": {}", self.step, self.fault)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Walk<'a> {
    deployment: &'a Deployment,
    api: &'a Api,
    plan: &'a Plan,
    tell: &'a mut dyn FnMut(&Step),
}

impl Walk<'_> {
    async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let outcome = work.await;
        let took = began.elapsed();
        match outcome {
            Ok(value) => {
                (self.tell)(&Step { name, took, skipped: None });
                Ok(value)
            }
            Err(fault) => Err(Failure { step: name, fault }),
        }
    }

    fn skip(&mut self, name: &'static str, why: &'static str) {
        (self.tell)(&Step { name, took: Duration::ZERO, skipped: Some(why) });
    }
}

/// Walks the path and passes every step to `tell` as it is done.
pub async fn play(deployment: &Deployment, api: &Api, plan: &Plan, tell: &mut dyn FnMut(&Step)) -> Result<(), Failure> {
    let mut walk = Walk { deployment, api, plan, tell };
    let sessions = sign_ins(&mut walk).await?;
    let [first, .., last] = sessions.as_slice() else {
        return Err(Failure { step: "sign in", fault: Fault::new("the path needs at least two sessions") });
    };
    let mut first_socket = sockets_refuse_used_tickets(&mut walk, first).await?;
    let mut last_socket =
        walk.step("a socket of another session", async { open_socket(api, &last.access, "B").await }).await?;
    push(&mut walk, &first.user_id, &mut first_socket, &mut last_socket).await?;
    endings(&mut walk, &sessions, first_socket, last_socket).await
}

/// From health to as many sessions as a user may have, the least recently used first.
async fn sign_ins(walk: &mut Walk<'_>) -> Result<Vec<SignedIn>, Failure> {
    let api = walk.api;
    walk.step("health", async {
        let reply = api.health().await?.expect(200)?;
        let status = reply.text("/status")?;
        Fault::unless(status == "ok" || status == "degraded", "GET /v1/health", "status ok or degraded", status)
    })
    .await?;

    let walker = walk.plan.walker.clone();
    let person = match &walker {
        Walker::Newcomer => {
            let person = Person::random();
            walk.step("register", register(api, &person)).await?;
            person
        }
        Walker::Resident(person) => {
            walk.skip("register", "a standing account is used");
            walk.step("end what an earlier run has left", async {
                let left = api.sign_in(person, "holdfast-smoke").await?;
                api.revoke_all(&left.access, false).await?.expect(200).map(drop)
            })
            .await?;
            person.clone()
        }
    };

    const WRONG: &str = "wrong password is refused and says nothing";
    if walk.plan.wrong_password {
        // A standing account must not be locked by a smoke test, so a random e-mail replaces its own.
        let email = match &walker {
            Walker::Newcomer => person.email.clone(),
            Walker::Resident(_) => Person::random().email,
        };
        walk.step(WRONG, async {
            let reply = api.login(&email, &Person::random().password, &SignIn::default()).await?;
            reply.expect_problem(401, "INVALID_CREDENTIALS").map(drop)
        })
        .await?;
    } else {
        walk.skip(WRONG, "spares the network's limit of failed attempts");
    }

    let mut eldest = walk.step("sign in", api.sign_in(&person, "device 1")).await?;
    walk.step("current session, with ETag", current(api, &eldest, &person)).await?;
    walk.step("list sessions", async {
        let reply = api.sessions(&eldest.access).await?.expect(200)?;
        let ids = session_ids(&reply)?;
        Fault::unless(ids == [eldest.session_id.clone()], "GET /v1/sessions", "the one session", format!("{ids:?}"))
    })
    .await?;
    eldest = walk.step("refresh, twice with one token: one pair", refresh(api, &eldest)).await?;

    let limit = walk.plan.max_sessions;
    let sessions = walk
        .step("sign in on more devices than allowed", async {
            let mut sessions = Vec::new();
            for device in 2..=limit + 1 {
                sessions.push(api.sign_in(&person, &format!("device {device}")).await?);
            }
            Ok(sessions)
        })
        .await?;
    walk.step("the least recently used session is evicted, its token refused", async {
        api.current(&eldest.access).await?.expect_any_problem(&[401])?;
        let reply = api.sessions(&sessions[0].access).await?.expect(200)?;
        let mut ids = session_ids(&reply)?;
        let mut expected: Vec<String> = sessions.iter().map(|session| session.session_id.clone()).collect();
        ids.sort();
        expected.sort();
        Fault::unless(ids == expected, "GET /v1/sessions", format!("{expected:?}"), format!("{ids:?}"))
    })
    .await?;
    Ok(sessions)
}

async fn register(api: &Api, person: &Person) -> Result<(), Fault> {
    let reply = api.register(person).await?;
    if reply.status == 403 && reply.at("/code") == "REGISTRATION_CLOSED" {
        return Err(reply.fault(
            "201; registration is closed here, so set HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD to an account",
        ));
    }
    let reply = reply.expect(201)?;
    reply.text("/userId")?;
    if reply.at("/email") != person.email.as_str() { Err(reply.fault("the same email")) } else { Ok(()) }
}

async fn current(api: &Api, session: &SignedIn, person: &Person) -> Result<(), Fault> {
    let reply = api.current(&session.access).await?.expect(200)?;
    crate::api::check_session(&reply, "")?;
    let tag = format!("\"{}\"", reply.number("/version")?);
    if reply.header("etag") != Some(tag.as_str()) {
        let came = format!("{:?}", reply.header("etag"));
        return Err(Fault::mismatch("GET /v1/sessions/current", format!("ETag {tag}"), came));
    }
    let expected = json!({"sessionId": session.session_id, "userId": session.user_id, "email": person.email,
        "current": true});
    let same = expected.as_object().into_iter().flatten().all(|(name, value)| reply.at(&format!("/{name}")) == *value);
    if same { Ok(()) } else { Err(reply.fault(expected)) }
}

async fn refresh(api: &Api, session: &SignedIn) -> Result<SignedIn, Fault> {
    let once = SignedIn::from_reply(&api.refresh(&session.refresh).await?.expect(200)?)?;
    let reply = api.refresh(&session.refresh).await?.expect(200)?;
    let twice = SignedIn::from_reply(&reply)?;
    if (&twice.access, &twice.refresh) != (&once.access, &once.refresh) {
        return Err(Fault::mismatch("POST /v1/auth/refresh", "the same pair within the grace", "another pair"));
    }
    if once.access == session.access || once.refresh == session.refresh || once.session_id != session.session_id {
        return Err(Fault::mismatch("POST /v1/auth/refresh", "new tokens of the same session", "something else"));
    }
    api.current(&once.access).await?.expect(200)?;
    Ok(once)
}

fn session_ids(reply: &crate::Reply) -> Result<Vec<String>, Fault> {
    let sessions = reply.at("/sessions");
    let sessions = sessions.as_array().ok_or_else(|| reply.fault("an array sessions"))?;
    (0..sessions.len()).map(|index| reply.text(&format!("/sessions/{index}/sessionId"))).collect()
}

/// A ticket's URL, after checking the answer.
pub async fn ticket(api: &Api, access: &str) -> Result<String, Fault> {
    let reply = api.ticket(access).await?.expect(201)?;
    let ticket = reply.text("/ticket")?;
    reply.text("/expiresAt")?;
    let url = reply.text("/url")?;
    if !url.ends_with(&format!("?ticket={ticket}")) {
        return Err(reply.fault("url to end with ?ticket= and the ticket"));
    }
    Ok(url)
}

/// A socket of the session with this access token, through ticket and authorizer.
pub async fn open_socket(api: &Api, access: &str, name: &str) -> Result<Socket, Fault> {
    Socket::connect(name, &ticket(api, access).await?, None).await?.open()
}

async fn sockets_refuse_used_tickets(walk: &mut Walk<'_>, session: &SignedIn) -> Result<Socket, Failure> {
    let api = walk.api;
    let url = walk.step("ticket", ticket(api, &session.access)).await?;
    let mut socket = walk
        .step("connect with it", async { Socket::connect("A", &url, None).await.and_then(Handshake::open) })
        .await?;
    walk.step("the used ticket is refused", async { Socket::connect("A again", &url, None).await?.refused() }).await?;
    walk.step("ping, pong", async { socket.ping().await.map(drop) }).await?;
    Ok(socket)
}

async fn push(walk: &mut Walk<'_>, user_id: &str, a: &mut Socket, b: &mut Socket) -> Result<(), Failure> {
    let api = walk.api;
    // A redelivered queue record may repeat a frame on AWS; the local cloud redelivers nothing that succeeded.
    let exactly_once = walk.deployment.is_local();
    let text = random_text();
    let body = json!({"to": {"userIds": [user_id]}, "kind": "smoke", "data": {"text": text},
        "idempotencyKey": random_text()});
    walk.step("publishing without a signature is refused", async {
        let reply = api.send(Call::new("POST", "/v1/messages").json(&body)).await?;
        if reply.status == 403 { Ok(()) } else { Err(reply.fault(403)) }
    })
    .await?;
    let id = walk
        .step("publish", async {
            let reply = api.publish(&body).await?.expect(202)?;
            if reply.at("/duplicate") != false { Err(reply.fault("duplicate false")) } else { reply.text("/messageId") }
        })
        .await?;
    walk.step("the message arrives on both sockets", async {
        for socket in [&mut *a, &mut *b] {
            let frame = socket.expect_message(&id).await?;
            let channel = format!("user:{user_id}");
            let whole =
                frame["channel"] == channel.as_str() && frame["kind"] == "smoke" && frame["data"] == body["data"];
            Fault::unless(whole, "message", format!("channel {channel} with the published data"), &frame)?;
        }
        Ok(())
    })
    .await?;
    walk.step("the same idempotency key is answered as a duplicate", async {
        let reply = api.publish(&body).await?.expect(202)?;
        let same = reply.at("/duplicate") == true && reply.at("/messageId") == id.as_str();
        if same { Ok(()) } else { Err(reply.fault(format!("duplicate true with messageId {id}"))) }
    })
    .await?;
    walk.step("unknown and malformed frames are answered with an error", async {
        for text in [r#"{"action":"fly"}"#, "not json"] {
            a.send_text(text).await?;
            let error = a.expect("error").await?;
            let whole = ["code", "detail"].iter().all(|name| error[name].as_str().is_some_and(|text| !text.is_empty()));
            Fault::unless(whole, "frame error", "code and detail", error)?;
        }
        Ok(())
    })
    .await?;
    walk.step("sockets stay open, and nothing came twice", async {
        for socket in [a, b] {
            socket.ping().await?;
            let repeats = socket.repeats(&id);
            Fault::unless(repeats == 0 || !exactly_once, "message", "one frame", format!("{} frames", repeats + 1))?;
        }
        Ok(())
    })
    .await
}

async fn endings(
    walk: &mut Walk<'_>,
    sessions: &[SignedIn],
    mut first_socket: Socket,
    mut last_socket: Socket,
) -> Result<(), Failure> {
    let api = walk.api;
    let (first, last) = (&sessions[0], &sessions[sessions.len() - 1]);
    walk.step("revoke a session: its token is refused", async {
        let reply = api.revoke(&last.access, &first.session_id).await?.expect(200)?;
        crate::api::check_effective(&reply)?;
        if reply.number("/revoked")? != 1 {
            return Err(reply.fault("revoked 1"));
        }
        api.current(&first.access).await?.expect_any_problem(&[401]).map(drop)
    })
    .await?;
    walk.step("its socket hears bye SESSION_ENDED and is closed", first_socket.expect_bye("SESSION_ENDED", false))
        .await?;
    walk.step("the other session's socket is unaffected", async { last_socket.ping().await.map(drop) }).await?;
    walk.step("log out everywhere", async {
        let reply = api.revoke_all(&last.access, false).await?.expect(200)?;
        crate::api::check_effective(&reply)?;
        let expected = sessions.len() - 1;
        if reply.at("/revoked") == expected { Ok(()) } else { Err(reply.fault(format!("revoked {expected}"))) }
    })
    .await?;
    walk.step("every token is refused", async {
        for session in sessions {
            api.current(&session.access).await?.expect_any_problem(&[401])?;
            api.refresh(&session.refresh).await?.expect_problem(401, "INVALID_REFRESH_TOKEN")?;
        }
        Ok(())
    })
    .await?;
    walk.step("the remaining socket hears bye and is closed", last_socket.expect_bye("SESSION_ENDED", false)).await
}
